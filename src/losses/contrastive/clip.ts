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

import type { Keys } from "../../core/config_key.ts";
import { expectShape } from "../../core/shape.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { clamp, exp } from "../../ops/activation.ts";
import { add, sub } from "../../ops/binary.ts";
import { infoNce } from "../../ops/info_nce.ts";
import {
  type ContrastiveEntry,
  type ContrastiveOptions,
  directions,
  scalar,
  trainedScalar,
} from "../contrastive_loss.ts";
import { expectNumber, expectPair } from "../gene_loss.ts";

const keys = {
  trainable_temperature: {
    kind: "flag",
    default: false,
    doc: "Train the temperature of clip (1 / temperature <= 100)",
  },
} as const satisfies Keys;

/** Options of {@linkcode clip}. */
export interface ClipOptions extends ContrastiveOptions {
  /** ln(1 / temperature), `[1]`, f32, usually trainable; takes the place of `temperature`. */
  logScale?: Tensor | undefined;
}

/** Largest 1 / temperature. */
export const MAX_SCALE: number = 100;

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

/** How it is trained with: a temperature that trains is `logit_scale`. */
export const entry: ContrastiveEntry<typeof keys> = {
  keys,
  create({ temperature, l2_norm: l2Norm, trainable_temperature }, parameters) {
    const logScale = trainable_temperature
      ? trainedScalar(parameters, "logit_scale", Math.log(1 / temperature))
      : undefined;
    return (g, image, gene) => clip(g, image, gene, { temperature, l2Norm, logScale });
  },
  rules: ({ trainable_temperature, temperature }, chosen) => [
    [
      ["trainable_temperature", "contrast_method"],
      !trainable_temperature || chosen === "clip",
      `Cannot train the temperature: contrast_method is ${chosen}, wanted clip`,
      "trainable_temperature=false",
    ],
    [
      ["trainable_temperature", "temperature"],
      !trainable_temperature || temperature >= 1 / MAX_SCALE,
      `Cannot train the temperature from ${temperature}: wanted at least ${1 / MAX_SCALE}, the limit it is held to`,
      `temperature=${1 / MAX_SCALE}, or trainable_temperature=false`,
    ],
  ],
};
