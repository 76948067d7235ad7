/**
 * One step of the omics warm-up: the gene model alone, its input corrupted if that is asked for.
 *
 * Source: mahmoodlab/SEAL, the warm-up loop, which reconstructs the corrupted input; `denoise` reconstructs the clean one.
 *
 * @module
 */

import type { Plan } from "../graph/plan.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import { clamp } from "../ops/activation.ts";
import { add, mul } from "../ops/binary.ts";
import { random, type RandomOptions } from "../ops/random.ts";
import { affine } from "../ops/scale.ts";
import type { AdamW } from "../optim/adamw.ts";
import type { TrainConfig } from "./config.ts";
import type { SealModel } from "./seal_model.ts";
import { TrainStep } from "./step.ts";

/** A compiled step and the tensor that a batch is written to. */
export interface WarmupStep {
  readonly step: TrainStep;
  /** Writes the expression of a batch, `[B, G]`. */
  write(x: Float32Array): void;
  destroy(): void;
}

/** Largest number that is no infinity. */
const MAX = 3.4e38;

/**
 * Appends the corruption: a share of the values dropped, or normal deviates added and the sum clamped at 0.
 *
 * @param x `[B, G]`.
 */
export function corrupt(g: Plan, x: Tensor, { warmup_noise: noise, noise_method }: TrainConfig["warmup"]): Tensor {
  if (noise === 0) return x;
  const draw = (options: RandomOptions) => random(g, "warmup.noise", x.shape, options);
  if (noise_method === "gaussian") return clamp(g, add(g, x, affine(g, draw({ kind: "normal" }), noise)), 0, MAX);
  return mul(g, x, affine(g, draw({ kind: "bernoulli", rate: Math.min(noise, 1 - 2 ** -24) }), -1, 1));
}

/** Compiles the step. @param std Standard deviation of each gene, `[G]`. */
export async function compileWarmup(
  model: SealModel,
  optimizer: AdamW,
  config: TrainConfig,
  { batch, accumulate, std }: { batch: number; accumulate: number; std: ArrayLike<number> },
): Promise<WarmupStep> {
  const store = new Store(model.parameters.gpu);
  const x = store.tensor("batch", "x", [batch, model.gene.genes]);
  const deviations = store.from("std", "std", [model.gene.genes], std);
  store.allocate();
  const step = await TrainStep.compile(model.parameters.gpu, optimizer, (g) => {
    const noisy = g.withoutTape(() => corrupt(g, x, config.warmup));
    return model.warmup(g, { x: noisy, std: deviations }, config.warmup.denoise ? x : noisy);
  }, { accumulate, rows: batch, seed: config.optim.seed, ring: Math.max(128, config.eval.log_every) });
  return {
    step,
    write: (values) => store.write(x, values),
    destroy() {
      step.destroy();
      store.destroy();
    },
  };
}
