/**
 * Position tables on another grid than the one on disk: which steps the original takes, and the steps themselves, once at
 * load. The same arithmetic as `ops/resample_positions.ts`, in float64.
 *
 * @module
 */

import { LimitError } from "../core/errors.ts";
import { type ResampleOptions, resampleTaps } from "../core/resample.ts";
import type { EncoderSpec, FamilyName, PositionRule } from "./encoder_spec.ts";
import { FAMILIES } from "./families/names.ts";

/** One interpolation of a square grid. */
export interface PositionStep extends ResampleOptions {
  /** Rows and columns before. */
  readonly from: number;
  /** Rows and columns after. */
  readonly to: number;
}

/**
 * How an encoder brings its positions to a grid.
 *
 * @param family Family of the file at hand, whose original decides unless the spec has a rule of its own.
 * @param stored Rows and columns on disk.
 * @param wanted Rows and columns of the input: its side over that of a patch.
 * @returns Nothing if the grid is right already, else one step or two.
 */
export function positionSteps(
  family: FamilyName,
  stored: number,
  wanted: number,
  options: { spec?: EncoderSpec; registers?: number } = {},
): PositionStep[] {
  const { spec, registers = spec?.arch.registers ?? 0 } = options;
  const rule: PositionRule = spec?.positions ?? FAMILIES[family].positions(registers);
  const steps: PositionStep[] = [];
  let at = stored;
  if (rule.firstGrid !== undefined && at !== rule.firstGrid) {
    steps.push({ from: at, to: rule.firstGrid, filter: "bilinear", antialias: false });
    at = rule.firstGrid;
  }
  if (at !== wanted) {
    const { filter, antialias, offset = 0 } = rule;
    steps.push({ from: at, to: wanted, filter, antialias, scale: at / (wanted + offset) });
  }
  return steps;
}

/**
 * Interpolates a position table on the CPU.
 *
 * @param table `[prefix + from * from, width]`.
 * @param prefix Rows kept as they are.
 * @returns `[prefix + to * to, width]`; the table itself without steps.
 * @throws {LimitError} If the table has not the rows of the first step.
 */
export function resamplePositionTable(
  table: Float32Array,
  width: number,
  prefix: number,
  steps: readonly PositionStep[],
): Float32Array {
  let now = table;
  for (const { from, to, ...options } of steps) {
    if (now.length !== (prefix + from * from) * width) {
      throw new LimitError(
        `Cannot resample positions: ${now.length / width} rows of ${width}, wanted ${prefix + from * from}`,
        { context: { rows: now.length / width, wanted: prefix + from * from } },
      );
    }
    const taps = resampleTaps(from, to, options);
    const start = prefix * width;
    // Along rows of the grid first, then along columns.
    const across = new Float64Array(from * to * width);
    for (let y = 0; y < from; y++) {
      blend(taps, (x) => start + (y * from + x) * width, (x) => (y * to + x) * width, now, across, width);
    }
    const down = new Float64Array(to * to * width);
    for (let x = 0; x < to; x++) {
      blend(taps, (y) => (y * to + x) * width, (y) => (y * to + x) * width, across, down, width);
    }
    const next = new Float32Array(start + down.length);
    next.set(now.subarray(0, start));
    next.set(down, start);
    now = next;
  }
  return now;
}

/** Weighted sums of whole rows of `width` along one line of the grid. */
function blend(
  { to, width: reach, start, weights }: ReturnType<typeof resampleTaps>,
  source: (i: number) => number,
  target: (i: number) => number,
  input: Float32Array | Float64Array,
  output: Float64Array,
  width: number,
): void {
  for (let o = 0; o < to; o++) {
    const at = target(o);
    for (let t = 0; t < reach; t++) {
      const weight = weights[o * reach + t]!;
      if (weight === 0) continue;
      const from = source(start[o]! + t);
      for (let d = 0; d < width; d++) output[at + d]! += weight * input[from + d]!;
    }
  }
}
