/**
 * Numbers so large that exponentials of them overflow: what subtracts the largest first is right all the same, and with usual
 * numbers nothing tells whether it does. And numbers beyond f16, of which some are to be counted.
 *
 * @module
 */

/** The input that is scaled up, by kernel, and the size its largest element gets. */
const STRESSED: Readonly<Record<string, { readonly input: string; readonly most: number }>> = {
  attention_fwd: { input: "q", most: 400 },
  softmax_fwd: { input: "x", most: 300 },
  cross_entropy_rows: { input: "x", most: 300 },
  overflow: { input: "x", most: 1e5 },
};

/** Largest difference allowed then: scores of hundreds round at their size before they become exponents. */
export const STRESS_TOLERANCE = 2e-2;

/** The input of a kernel, or of the barrier-free one of the same interface, that is scaled up; undefined where none is. */
export function stressOf(kernel: string): { readonly input: string; readonly most: number } | undefined {
  return STRESSED[kernel.replace(/_(flat|tall|matrix)$/, "")];
}

/** The values scaled so that the largest is of this size. */
export function scaledTo(values: ArrayLike<number>, most: number): Float64Array {
  const top = Array.prototype.reduce.call(
    values,
    (a: unknown, b: unknown) => Math.max(a as number, Math.abs(b as number)),
    0,
  ) as number;
  return Float64Array.from(values, (value) => value * (top > 0 ? most / top : 1));
}
