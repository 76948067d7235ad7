/**
 * Contrastive loss with soft targets, as in BLEEP.
 *
 * S = gene image^T / temperature, T = softmax of the rows of (image image^T + gene gene^T) / (2 target temperature):
 * L = mean over the pairs of [CE(S, T) + CE(S^T, T^T)] / 2, CE = -sum_j T_ij log softmax(S)_ij. BLEEP lets gradients flow
 * through T; by default they stop there, which is steadier.
 *
 * Source: github.com/bowang-lab/BLEEP, `CLIPModel`.
 *
 * @module
 */

import type { Keys } from "../../core/config_key.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { add, mul } from "../../ops/binary.ts";
import { matmul } from "../../ops/matmul.ts";
import { permute } from "../../ops/permute.ts";
import { sumAll } from "../../ops/reduce.ts";
import { affine } from "../../ops/scale.ts";
import { logSoftmax, softmax } from "../../ops/softmax.ts";
import { type ContrastiveEntry, type ContrastiveOptions, directions } from "../contrastive_loss.ts";
import { expectNumber, expectPair } from "../gene_loss.ts";

const keys = {
  target_temperature: {
    kind: "number",
    default: null,
    nullable: true,
    min: 0,
    open: true,
    doc: "Temperature of soft_clip's targets; null is temperature",
  },
  detach_targets: { kind: "flag", default: true, doc: "Stop gradients at soft_clip's targets" },
} as const satisfies Keys;

/** Options of {@linkcode softClip}. */
export interface SoftClipOptions extends ContrastiveOptions {
  /** Temperature of the targets; default that of the loss. */
  targetTemperature?: number;
  /** Stops gradients at the targets; default true. */
  detachTargets?: boolean;
}

/**
 * Appends the loss.
 *
 * @param image `[B, E]`.
 * @param gene `[B, E]`.
 * @returns `[1]`, f32.
 * @throws {ShapeError} If the shapes differ or are empty.
 * @throws {LimitError} If a temperature is not positive.
 */
export function softClip(g: Plan, image: Tensor, gene: Tensor, options: SoftClipOptions = {}): Tensor {
  const { temperature = 0.05, targetTemperature = temperature, detachTargets = true, l2Norm = true } = options;
  expectPair("softClip", image, gene);
  expectNumber("softClip", "temperature", temperature, temperature > 0, "a positive number");
  expectNumber("softClip", "targetTemperature", targetTemperature, targetTemperature > 0, "a positive number");
  const [a, b] = directions(g, image, gene, l2Norm);
  const targets = (): Tensor => {
    const near = add(g, matmul(g, a, a, { transB: true }), matmul(g, b, b, { transB: true }));
    return softmax(g, near, { scale: 0.5 / targetTemperature });
  };
  const T = detachTargets ? g.withoutTape(targets) : targets();
  const turned = detachTargets ? g.withoutTape(() => permute(g, T, [1, 0])) : permute(g, T, [1, 0]);
  const agreement = (rows: Tensor, columns: Tensor, target: Tensor): Tensor => {
    const s = matmul(g, rows, columns, { transB: true });
    return sumAll(g, mul(g, target, logSoftmax(g, s, { scale: 1 / temperature })));
  };
  return affine(g, add(g, agreement(b, a, T), agreement(a, b, turned)), -0.5 / image.dim(0));
}

/** How it is trained with. */
export const entry: ContrastiveEntry<typeof keys> = {
  keys,
  create({ temperature, l2_norm: l2Norm, target_temperature, detach_targets: detachTargets }) {
    const options = { temperature, l2Norm, targetTemperature: target_temperature ?? temperature, detachTargets };
    return (g, image, gene) => softClip(g, image, gene, options);
  },
};
