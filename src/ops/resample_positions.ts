/**
 * Interpolation of a learned position table to another grid of patches; class and register rows pass through.
 *
 * Encoders differ in the rule: bicubic with antialiasing (timm's `resample_abs_pos_embed`, CONCH), bicubic without it (HF
 * `ViTModel` and `Dinov2Model`), the same with DINOv2's offset of 0.1, or bilinear (CONCH loaders). Both axes are summed in
 * one pass: the table is small, and so no intermediate is kept.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { type ResampleFilter, resampleTaps, type Taps, transposeTaps } from "../core/resample.ts";
import { expectShape } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";

/** Options of {@linkcode resamplePositions}. */
export interface ResamplePositionsOptions {
  /** Rows and columns of the grid in the table. */
  readonly from: readonly [number, number];
  /** Rows and columns wanted. */
  readonly to: readonly [number, number];
  /** Rows of the table before its grid: class token, registers. Default 0. */
  readonly prefix?: number;
  /** Default bicubic. */
  readonly filter?: ResampleFilter;
  /** Default true. */
  readonly antialias?: boolean;
  /**
   * Added to the wanted extents when the sampling step is computed, as DINOv2 does with 0.1 (together with
   * `antialias: false`): step = from / (to + offset). Default 0.
   */
  readonly offset?: number;
}

/** Weights of both axes. */
interface Grid {
  readonly v: Taps;
  readonly u: Taps;
  readonly key: string;
  readonly prefix: number;
}

function apply(g: Plan, x: Tensor, { v, u, key, prefix }: Grid): Tensor {
  const table = (name: string, { to, width, start, weights }: Taps) => ({
    start: g.constant(`${key}, ${name} start`, [to], "u32", () => start),
    weight: g.constant(`${key}, ${name} weight`, [to, width], "f32", () => weights),
  });
  const rows = table("row", v);
  const columns = table("column", u);
  const y = g.tensor([prefix + v.to * u.to, x.dim(1)], "f32", "resample_positions.y");
  const tensors = { x, sv: rows.start, wv: rows.weight, su: columns.start, wu: columns.weight, y };
  g.run(k.resample_positions, tensors, { prefix, across: u.from });
  return y;
}

/**
 * Interpolates a position table.
 *
 * @param table `[prefix + h * w, D]`; frozen it may be f16 or bf16.
 * @returns `[prefix + h' * w', D]`, f32; an f32 table itself if the grid is already the wanted one.
 * @throws {ShapeError} If the table has not the rows of `prefix` and `from`.
 * @throws {ConfigError} If an extent is no positive integer, or the offset is not a number from 0 to 1.
 */
export function resamplePositions(g: Plan, table: Tensor, options: ResamplePositionsOptions): Tensor {
  const { from, to, prefix = 0, filter = "bicubic", antialias = true, offset = 0 } = options;
  if (
    ![...from, ...to].every((extent) => Number.isInteger(extent) && extent > 0) || !Number.isInteger(prefix) ||
    prefix < 0
  ) {
    throw new ConfigError(
      `Cannot run resamplePositions: from ${from.join(" x ")} to ${to.join(" x ")} with prefix ${prefix}, ` +
        "wanted positive integers",
    );
  }
  if (filter !== "bilinear" && filter !== "bicubic") {
    throw new ConfigError(
      `Cannot run resamplePositions: filter is "${String(filter)}", wanted bilinear or bicubic`,
    );
  }
  if (!(offset >= 0 && offset <= 1)) {
    throw new ConfigError(`Cannot run resamplePositions: offset is ${offset}, wanted 0 to 1`);
  }
  expectShape("resamplePositions", "table", table.shape, [prefix + from[0] * from[1], null]);
  const same = from[0] === to[0] && from[1] === to[1];
  if (same && table.dtype === "f32") return table;
  const taps = (i: 0 | 1): Taps =>
    // A grid that fits is never interpolated, whatever the offset.
    resampleTaps(from[i], to[i], { filter, antialias, scale: same ? 1 : from[i] / (to[i] + offset) });
  const key = `resample_positions ${filter} ${antialias} ${offset} ${from} to ${to}`;
  const grid: Grid = { v: taps(0), u: taps(1), key, prefix };
  const y = apply(g, table, grid);
  g.record("resamplePositions", [table], [y], ([dy]) => {
    const back = { v: transposeTaps(grid.v), u: transposeTaps(grid.u), key: `${key}, transposed`, prefix };
    return [apply(g, dy!, back)];
  });
  return y;
}

/** Cost of the forward pass for a table of width `D`, f32. */
export function resamplePositionsCost(D: number, { from, to, filter = "bicubic" }: ResamplePositionsOptions): Cost {
  const taps = [0, 1].map((i) => (filter === "bicubic" ? 4 : 2) * Math.max(1, from[i]! / to[i]!));
  const outputs = to[0] * to[1] * D;
  return { flops: 2 * outputs * taps[0]! * taps[1]!, bytes: 4 * (from[0] * from[1] * D + outputs) };
}
