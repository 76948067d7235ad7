/**
 * A step of the omics warm-up: the gene model alone, its input corrupted if that is asked for.
 *
 * Source: mahmoodlab/SEAL, the warm-up loop, which reconstructs the corrupted input; `denoise` reconstructs the clean one.
 *
 * @module
 */

import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { clamp } from "../../ops/activation.ts";
import { add, mul } from "../../ops/binary.ts";
import { random, type RandomOptions } from "../../ops/random.ts";
import { affine } from "../../ops/scale.ts";
import type { SealConfig } from "./config.ts";
import type { StepModel } from "../../train/step_model.ts";
import type { SealModel } from "./model.ts";

/** Largest number that is no infinity. */
const MAX = 3.4e38;

/**
 * Appends the corruption: a share of the values dropped, or normal deviates added and the sum clamped at 0.
 *
 * @param x `[B, G]`.
 */
export function corrupt(g: Plan, x: Tensor, { warmup_noise: noise, noise_method }: SealConfig["warmup"]): Tensor {
  if (noise === 0) return x;
  const draw = (options: RandomOptions) => random(g, "warmup.noise", x.shape, options);
  if (noise_method === "gaussian") return clamp(g, add(g, x, affine(g, draw({ kind: "normal" }), noise)), 0, MAX);
  return mul(g, x, affine(g, draw({ kind: "bernoulli", rate: Math.min(noise, 1 - 2 ** -24) }), -1, 1));
}

/**
 * The step's model; a batch has the field `x`, expression `[B, G]`.
 *
 * @param std Standard deviation of each gene, `[G]`.
 */
export function warmupModel(
  model: SealModel,
  { warmup }: Pick<SealConfig, "warmup">,
  { batch, std }: { readonly batch: number; readonly std: ArrayLike<number> },
): StepModel<never> {
  const { genes } = model.gene;
  return {
    parameters: model.parameters,
    fields: (store) => ({
      x: store.tensor("batch", "x", [batch, genes]),
      std: store.from("std", "std", [genes], std),
    }),
    objective(g, _, { x, std }) {
      const noisy = g.withoutTape(() => corrupt(g, x!, warmup));
      return model.warmup(g, { x: noisy, std: std! }, warmup.denoise ? x! : noisy);
    },
  };
}
