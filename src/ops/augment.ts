/**
 * Augmentation of patches on the device: each is turned, its middle enlarged, coloured and blurred as a row of numbers says,
 * and rounded once. What the changes are, and how they are drawn, is in `src/data/image/augment.ts`, whose code on the host this
 * follows to one unit of a byte; patches that are only turned keep their bytes.
 *
 * A row depends on its patch alone, so that bytes depend on nothing but the row and the patch.
 *
 * @module
 */

import { ConfigError, DtypeError } from "../core/errors.ts";
import { expectShape, type Shape, sizeOf } from "../core/shape.ts";
import * as k from "../gpu/kernels.gen.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Cost } from "./cost.ts";
import { reduceMiddle } from "./partials.ts";

/**
 * Where the numbers of a row stand, in words of 32 bits: whole numbers, two's complement where they may be negative, or f32.
 */
export const CHANGE = {
  /** Place of the first pixel in the patch as it is, and steps to the pixels below and to the right. */
  turn: 0,
  /** Side of the part enlarged in units of 2^-32; 0 for the whole. */
  side: 3,
  /** Place of the first row and column before: whole pixels, and the rest in units of 2^-32. */
  start: 4,
  /** 0 as it is, 1 steps of a jitter, 2 stains. */
  kind: 6,
  /** Of the blur, pixels; 0 for none. */
  radius: 7,
  /** Steps of a jitter, a byte each from the lowest on: 1 brightness, 2 contrast, 3 saturation, 4 hue, 0 behind the last. */
  steps: 8,
  /** f32: factors of brightness, contrast and saturation, sixths of the circle of hues. */
  factors: 9,
  /** Whether the contrast is among the steps. */
  contrast: 13,
  /** f32 `[3, 3]`: from natural logarithms of R, G and B, by rows, to those of the result, and f32 `[3]` that is added. */
  stains: 14,
  /** f32 `[7]`: weights of the blur at distances 0 to 6; 0 beyond the radius. */
  weights: 26,
} as const;

/** Words of a row. */
export const CHANGE_WORDS = 33;

/** Largest radius of a blur, pixels. */
export const MOST_RADIUS = 6;

/** What rows may ask for: turns alone; besides, another side and other colours; besides, a blur. */
export type Reach = "turn" | "colour" | "blur";

/** Bytes of blurred columns at a time. */
const COLUMNS = 2 ** 25;

/** Patches whose blurred columns are kept at a time: whole words of bytes. */
function atATime(side: number): number {
  return Math.max(4, Math.floor(COLUMNS / (12 * side * side) / 4) * 4);
}

/**
 * Augments patches. Bytes have no gradient.
 *
 * @param patches RGB bytes `[B, S, S, 3]`.
 * @param changes u32 `[B, CHANGE_WORDS]`, as {@linkcode CHANGE} says; made by `changesRow` of `src/train/changes_row.ts`.
 * @param reach What rows may ask for; what they ask for beyond it is not done.
 * @returns RGB bytes `[B, S, S, 3]`.
 * @throws {ShapeError} If patches are no squares of three channels, or there is no row for each.
 * @throws {DtypeError} If patches are no bytes, or rows no u32.
 * @throws {ConfigError} If there is no such reach.
 */
export function augment(g: Plan, patches: Tensor, changes: Tensor, reach: Reach): Tensor {
  const [B = 0, S = 0] = patches.shape;
  expectShape("augment", "patches", patches.shape, [null, S, S, 3]);
  expectShape("augment", "changes", changes.shape, [B, CHANGE_WORDS]);
  if (patches.dtype !== "u8" || changes.dtype !== "u32") {
    throw new DtypeError(
      `Cannot run augment: patches are ${patches.dtype} and changes ${changes.dtype}, wanted u8 and u32`,
    );
  }
  if (!["turn", "colour", "blur"].includes(reach)) {
    throw new ConfigError(`Cannot run augment: reach is "${String(reach)}", wanted turn, colour or blur`);
  }
  const y = g.tensor(patches.shape, "u8", "augment.y");
  const given = { bytes: patches, changes };
  if (reach === "turn") {
    g.run(k.augment_apply, { ...given, y }, { first: 0, count: B, upto: "turn" });
    return y;
  }
  const sums = g.tensor([B, S], "f32", "augment.sums");
  g.run(k.augment_grey, { ...given, sums });
  const grey = reduceMiddle(g, "sum", sums, [B, S, 1]).reshape([B]);
  if (reach === "colour") {
    g.run(k.augment_apply, { ...given, grey, y }, { first: 0, count: B });
    return y;
  }
  for (let first = 0; first < B; first += atATime(S)) {
    const count = Math.min(atATime(S), B - first);
    const columns = g.tensor([count, S, S, 3], "f32", "augment.columns");
    g.run(k.augment_columns, { ...given, grey, columns }, { first });
    g.run(k.augment_apply, { ...given, grey, columns, y }, { first, count });
  }
  return y;
}

/** Cost of augmenting `[B, S, S, 3]` to a reach, without what only some patches ask for: bytes are read and written. */
export function augmentCost(patches: Shape): Cost {
  return { flops: 0, bytes: 2 * sizeOf(patches) };
}
