/**
 * Position tables on another grid than the one on disk: which steps the original takes, and the steps themselves, once at
 * load. The same arithmetic as `ops/resample_positions.ts`, in float64.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import { resampleTaps, type Taps } from "../core/resample.ts";
import type { ResamplePositionsOptions } from "../ops/resample_positions.ts";
import type { EncoderSpec, FamilyName, PositionRule } from "./encoder_spec.ts";
import { FAMILIES } from "./families/names.ts";

/** One interpolation of the grid: what `resamplePositions` takes, without the rows before the grid. */
export type PositionStep = Omit<ResamplePositionsOptions, "prefix">;

/**
 * How an encoder brings its positions to a grid.
 *
 * @param family Family of the file at hand, whose original decides unless the spec has a rule of its own.
 * @param stored Rows and columns on disk.
 * @param wanted Rows and columns of the input: its sides over that of a patch.
 * @returns Nothing if the grid is right already, else one step or two.
 */
export function positionSteps(
  family: FamilyName,
  stored: number,
  wanted: readonly [number, number],
  options: { spec?: EncoderSpec; registers?: number } = {},
): PositionStep[] {
  const { spec, registers = spec?.arch.registers ?? 0 } = options;
  const { firstGrid, ...rule }: PositionRule = spec?.positions ?? FAMILIES[family].positions(registers);
  const steps: PositionStep[] = [];
  let from: readonly [number, number] = [stored, stored];
  if (firstGrid !== undefined && stored !== firstGrid) {
    const to = [firstGrid, firstGrid] as const;
    steps.push({ from, to, filter: "bilinear", antialias: false });
    from = to;
  }
  if (from[0] !== wanted[0] || from[1] !== wanted[1]) steps.push({ from, to: wanted, ...rule });
  return steps;
}

/**
 * Interpolates a position table on the CPU.
 *
 * @param table `[prefix + h * w, width]`.
 * @param prefix Rows kept as they are.
 * @returns `[prefix + h' * w', width]`; the table itself without steps.
 * @throws {LimitError} If the table has not the rows of a step.
 */
export function resamplePositionTable(
  table: Float32Array,
  width: number,
  prefix: number,
  steps: readonly PositionStep[],
): Float32Array {
  let now = table;
  for (const { from: [h, w], to, filter = "bicubic", antialias = true, offset = 0 } of steps) {
    const rows = now.length / width;
    if (rows !== prefix + h * w) {
      throw new LimitError(`Cannot resample positions: ${rows} rows of ${width}, wanted ${prefix + h * w}`, {
        context: { rows, wanted: prefix + h * w },
      });
    }
    const same = h === to[0] && w === to[1];
    const taps = (from: number, to: number) =>
      resampleTaps(from, to, { filter, antialias, scale: same ? 1 : from / (to + offset) });
    const grid = blend(blend(now.subarray(prefix * width), taps(w, to[1]), h, width), taps(h, to[0]), 1, to[1] * width);
    const next = new Float32Array(prefix * width + grid.length);
    next.set(now.subarray(0, prefix * width));
    next.set(grid, prefix * width);
    now = next;
  }
  return now;
}

/** Sums along the middle axis: `[outer, from, inner]` to `[outer, to, inner]`. */
function blend(
  input: Float32Array | Float64Array,
  { from, to, width, start, weights }: Taps,
  outer: number,
  inner: number,
): Float64Array {
  const output = new Float64Array(outer * to * inner);
  for (let line = 0; line < outer * to; line++) {
    const o = line % to;
    for (let t = 0; t < width; t++) {
      const weight = weights[o * width + t]!;
      const source = ((line - o) / to * from + start[o]! + t) * inner;
      if (weight !== 0) { for (let i = 0; i < inner; i++) output[line * inner + i]! += weight * input[source + i]!; }
    }
  }
  return output;
}
