/**
 * Broadcasting patterns: which runs of dimensions two operands share, and what kernels need to know of that.
 *
 * @module
 */

import type { Shape } from "./shape.ts";

/** A tensor seen as `[A, R, C]`; the middle is what a reduction removes and a broadcast repeats. */
export type Middle = readonly [A: number, R: number, C: number];

/** One of two operands. */
export type Operand = "a" | "b";

/** A run of dimensions of the result with one broadcasting pattern: its extent, and which operands have it. */
export interface Run {
  /** Number of elements along it. */
  extent: number;
  /** Whether the first operand has it. */
  readonly a: boolean;
  /** Whether the second operand has it. */
  readonly b: boolean;
}

/** Merges neighbouring dimensions of one pattern and drops those of extent 1. */
export function runsOf(shape: Shape, a: Shape, b: Shape): Run[] {
  const runs: Run[] = [];
  shape.forEach((extent, i) => {
    if (extent === 1) return;
    const has = (of: Shape): boolean => of[of.length - shape.length + i] === extent;
    const last = runs.at(-1);
    if (last && last.a === has(a) && last.b === has(b)) last.extent *= extent;
    else runs.push({ extent, a: has(a), b: has(b) });
  });
  return runs;
}

/** The result as `[A, R, C]` where `full` has every run and `short` all but one. */
export function middleOf(runs: readonly Run[], full: Operand, short: Operand): Middle | undefined {
  const at = runs.findIndex((run) => !run[short]);
  if (!runs.every((run, i) => run[full] && (run[short] || i === at))) return undefined;
  const product = (some: readonly Run[]) => some.reduce((n, run) => n * run.extent, 1);
  return [product(runs.slice(0, at)), runs[at]!.extent, product(runs.slice(at + 1))];
}

/** Extents and strides as `lib strides` counts them: outermost is 0, then innermost first. */
export function strideParams(runs: readonly Run[]): {
  rank: "1" | "2" | "3" | "4" | "5" | "6";
  params: Record<`e${1 | 2 | 3 | 4 | 5}` | `${Operand}${0 | 1 | 2 | 3 | 4 | 5}`, number>;
} {
  const params: Record<string, number> = { a0: 0, b0: 0 };
  for (const j of [1, 2, 3, 4, 5]) Object.assign(params, { [`e${j}`]: 1, [`a${j}`]: 0, [`b${j}`]: 0 });
  const step = { a: 1, b: 1 };
  runs.toReversed().forEach((run, i) => {
    const j = i + 1 === runs.length ? 0 : i + 1;
    if (j) params[`e${j}`] = run.extent;
    for (const name of ["a", "b"] as const) {
      if (!run[name]) continue;
      params[`${name}${j}`] = step[name];
      step[name] *= run.extent;
    }
  });
  return { rank: String(Math.max(1, runs.length)) as "1", params };
}
