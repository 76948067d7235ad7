/**
 * The optimiser of SEAL's model, with the loss scale that activations in f16 need.
 *
 * @module
 */

import { AdamW } from "../../optim/adamw.ts";
import { LossScale } from "../../optim/loss_scale.ts";
import { parameterGroups } from "../../optim/param_groups.ts";
import { adamwOptions } from "../../train/config/optim.ts";
import type { VisionPart } from "../../train/trainable.ts";
import type { SealConfig } from "./config.ts";
import type { SealModel } from "./model.ts";

/** An optimiser and what frees it. */
export interface SealOptimizer {
  readonly optimizer: AdamW;
  destroy(): void;
}

/** Makes it as a configuration asks for. Call after the last parameter was added. */
export function openOptimizer(
  { parameters, encoder }: SealModel,
  { layers }: Pick<VisionPart, "layers">,
  { optim }: Pick<SealConfig, "optim">,
): SealOptimizer {
  const { loss_scale: initial, loss_scale_interval: interval } = optim;
  // Gradients of activations in f16 are raised above what it rounds to 0.
  const lossScale = encoder.vit.activations === "f16"
    ? new LossScale(parameters.gpu, { initial, interval })
    : undefined;
  const optimizer = new AdamW(
    parameters,
    parameterGroups({ weightDecay: optim.weight_decay, ...(layers && { layers }) }),
    {
      ...adamwOptions(optim),
      lossScale,
      ema: optim.ema,
    },
  );
  return {
    optimizer,
    destroy() {
      optimizer.destroy();
      lossScale?.destroy();
    },
  };
}
