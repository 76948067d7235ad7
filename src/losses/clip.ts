/**
 * Contrastive loss of CLIP between image and gene embeddings, with a fixed or a learned temperature.
 *
 * `src/ops/info_nce.ts` has the formula. A learned temperature is t = ln(1 / temperature); the scale e^t stays at most 100.
 * Its gradient passes the bound, so that t can come back: clamp t itself after each step to keep it from drifting.
 *
 * Source: open_clip `ClipLoss`.
 *
 * @module
 */

import { expectShape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { clamp, exp } from "../ops/activation.ts";
import { add, sub } from "../ops/binary.ts";
import { infoNce } from "../ops/info_nce.ts";
import { l2Normalize } from "../ops/l2_normalize.ts";
import { expectNumber, expectPair } from "./gene_loss.ts";

/** Options of contrastive losses. */
export interface ContrastiveOptions {
  /** Fixed temperature; default 0.05. */
  temperature?: number;
  /** Brings both sides to length one first; default true. */
  l2Norm?: boolean;
}

/** Options of {@linkcode clip}. */
export interface ClipOptions extends ContrastiveOptions {
  /** ln(1 / temperature), `[1]`, f32, usually trainable; takes the place of `temperature`. */
  logScale?: Tensor | undefined;
}

/** Largest 1 / temperature. */
export const MAX_SCALE: number = 100;

/** Both sides at length one, unless that is off. */
export function directions(g: Plan, a: Tensor, b: Tensor, l2Norm: boolean): [Tensor, Tensor] {
  return l2Norm ? [l2Normalize(g, a), l2Normalize(g, b)] : [a, b];
}

/** A number on the device, `[1]`. */
export function scalar(g: Plan, value: number): Tensor {
  return g.constant(`scalar ${value}`, [1], "f32", () => [value]);
}

/**
 * Appends the loss; row i of one side belongs to row i of the other.
 *
 * @param image `[B, E]`.
 * @param gene `[B, E]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ or are empty.
 * @throws {LimitError} If the temperature is not positive.
 */
export function clip(g: Plan, image: Tensor, gene: Tensor, options: ClipOptions = {}): Tensor {
  const { temperature = 0.05, logScale, l2Norm = true } = options;
  expectPair("clip", image, gene);
  expectNumber("clip", "temperature", temperature, temperature > 0, "a positive number");
  const [a, b] = directions(g, image, gene, l2Norm);
  if (!logScale) return infoNce(g, a, b, scalar(g, 1 / temperature));
  expectShape("clip", "logScale", logScale.shape, [1]);
  const excess = g.withoutTape(() => sub(g, clamp(g, logScale, -MAX_SCALE, Math.log(MAX_SCALE)), logScale));
  return infoNce(g, a, b, exp(g, add(g, logScale, excess)));
}
