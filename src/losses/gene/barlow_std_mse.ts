/**
 * `barlow_soft.ts` plus five times the standardised squared error: SEAL's default.
 *
 * Source: SEAL, `seal/losses/gene_loss.py`.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { add } from "../../ops/binary.ts";
import { affine } from "../../ops/scale.ts";
import { expectPair, geneLoss, type GeneLossEntry, type GeneLossOptions } from "../gene_loss.ts";
import { barlowSoft } from "./barlow_soft.ts";
import { standardizedMse } from "./standardized_mse.ts";

/**
 * Appends the loss.
 *
 * @param y Prediction `[B, G]`, at least 2 rows.
 * @param x Target `[B, G]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ, are empty or have one row.
 * @throws {ConfigError} If `std` is missing.
 */
export function barlowStdMse(g: Plan, y: Tensor, x: Tensor, options: GeneLossOptions = {}): Tensor {
  expectPair("barlow_std_mse", y, x, 2);
  const error = affine(g, standardizedMse(g, y, x, options), 5);
  return add(g, barlowSoft(g, y, x), error);
}

/** How it is trained with. */
export const entry: GeneLossEntry = geneLoss(barlowStdMse, { scale: 0.1, needsStd: true, rows: 2 });
