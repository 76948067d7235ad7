/**
 * Scales from values to places on a drawing, with ticks at round values.
 *
 * @module
 */

/** A linear scale. */
export interface Scale {
  (value: number): number;
  readonly domain: readonly [number, number];
  readonly range: readonly [number, number];
  readonly ticks: readonly number[];
}

/** A linear scale; an empty domain is widened. */
export function linear(
  domain: readonly [number, number],
  range: readonly [number, number],
  options: { ticks?: number; nice?: boolean } = {},
): Scale {
  let [low, high] = domain;
  if (!(Number.isFinite(low) && Number.isFinite(high))) [low, high] = [0, 1];
  if (low === high) [low, high] = low === 0 ? [0, 1] : [low - Math.abs(low) / 2, high + Math.abs(low) / 2];
  const step = niceStep((high - low) / Math.max(1, options.ticks ?? 4));
  if (options.nice) [low, high] = [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  const scale = (value: number) => range[0] + (value - low) / (high - low) * (range[1] - range[0]);
  return Object.assign(scale, { domain: [low, high] as const, range, ticks });
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = rough / power;
  return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 2.5 ? 2.5 : factor <= 5 ? 5 : 10);
}

/** Smallest and largest finite value; undefined where there is none. */
export function extent(values: Iterable<number | null | undefined>): [number, number] | undefined {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || value === undefined || !Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : undefined;
}

/** Value at the part `p` of the sorted finite values, interpolated; undefined where there is none. */
export function quantile(values: Iterable<number>, p: number): number | undefined {
  const sorted = Float64Array.from([...values].filter(Number.isFinite)).sort();
  if (sorted.length === 0) return undefined;
  const at = Math.min(Math.max(p, 0), 1) * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted[below]! + ((sorted[below + 1] ?? sorted[below]!) - sorted[below]!) * (at - below);
}
