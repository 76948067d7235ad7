/**
 * Adversarial discriminator: guesses the batch an embedding comes from, and reverses the gradient on its way back, so that the
 * embedding learns to hide it.
 *
 * Source: SEAL, `seal/models/da_model.py`, names are its own; Ganin et al., "Domain-adversarial training of neural networks",
 * JMLR 17 (2016).
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { expectShape } from "../core/shape.ts";
import type { Plan } from "../graph/plan.ts";
import type { Tensor } from "../graph/tensor.ts";
import { moduleRng } from "../nn/init.ts";
import { applyLinear } from "../nn/layers.ts";
import type { Parameters } from "../nn/parameters.ts";
import { createSequential, type Part, torchLinear } from "../nn/sequential.ts";
import { gradientReversal } from "../ops/gradient_reversal.ts";
import { expectSizes, type ModuleOptions } from "./module_options.ts";

/** Sizes of the discriminator. */
export interface DiscriminatorConfig {
  /** Features of the embedding, D. */
  readonly dim: number;
  /** Batches to tell apart. */
  readonly classes: number;
  /** Hidden layers; default 2. */
  readonly layers?: number;
}

/** A discriminator whose parameters exist. */
export interface Discriminator {
  /** Sizes. */
  readonly config: DiscriminatorConfig;
  /**
   * Appends the discriminator.
   *
   * @param z Embedding `[B, D]`; its gradient is reversed and multiplied by `lambda`.
   * @param lambda Strength of the reversal, or a device scalar `[1]` where a schedule changes it; default 1.
   * @returns Logits `[B, classes]`.
   * @throws {ShapeError} If `z` is not `[B, D]`.
   */
  forward(g: Plan, z: Tensor, lambda?: number | Tensor): Tensor;
}

/**
 * Strength of the reversal after a share of training: 2 / (1 + e^(-10 p)) - 1, from 0 to nearly 1.
 *
 * @param progress Share of training done, in [0, 1].
 * @throws {ConfigError} If it is not.
 */
export function reversalStrength(progress: number): number {
  if (!(progress >= 0 && progress <= 1)) {
    throw new ConfigError(`Cannot schedule the reversal: progress is ${progress}, wanted 0 to 1`);
  }
  return 2 / (1 + Math.exp(-10 * progress)) - 1;
}

/**
 * Adds `_decoder.*` and `out_layer`.
 *
 * @throws {ConfigError} If a size is unusable, or there is one class.
 */
export function createDiscriminator(
  parameters: Parameters,
  config: DiscriminatorConfig,
  { prefix = "", seed }: ModuleOptions = {},
): Discriminator {
  const { dim, classes, layers = 2 } = config;
  expectSizes("the discriminator", { dim, classes, layers });
  if (classes < 2) {
    throw new ConfigError("Cannot build the discriminator: 1 class, wanted 2 or more to tell apart", {
      context: { key: "classes", given: classes },
    });
  }
  const rng = moduleRng(seed, `${prefix}discriminator`);
  const parts = Array.from(
    { length: layers },
    (): Part[] => [["linear", dim, dim], ["layernorm", dim], ["leaky_relu"]],
  );
  const net = createSequential(parameters, `${prefix}_decoder`, parts.flat(), rng);
  const out = torchLinear(parameters, `${prefix}out_layer`, [dim, classes], rng);
  return {
    config,
    forward(g, z, lambda = 1) {
      expectShape("the discriminator", "z", z.shape, [null, dim]);
      return applyLinear(g, out, net.forward(g, gradientReversal(g, z, lambda), false));
    },
  };
}
