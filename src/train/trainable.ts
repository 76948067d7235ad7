/**
 * From configuration to an encoder's trainable side: which of its own parameters train, which layers get low-rank updates,
 * and how its learning rates fall towards the input.
 *
 * @module
 */

import type { EncoderSpec } from "../models/encoder_spec.ts";
import { loraTargets } from "../models/lora_recipe.ts";
import { partialParameters } from "../models/trainable.ts";
import type { Init } from "../nn/init.ts";
import type { LoraOptions } from "../nn/layers.ts";
import type { LayerDecay } from "../optim/param_groups.ts";
import type { EncoderConfig, VisionConfig } from "./config/encoder_config.ts";

/**
 * How the encoder takes part: low-rank updates, its last blocks, all of it, or not at all.
 *
 * As `use_lora` first freezes everything, it wins over `partial_tune`; `model: linprobe` freezes in any case.
 */
export function visionTraining({ model, lora }: Pick<EncoderConfig, "model" | "lora">): VisionTraining {
  if (model.model === "linprobe") return "frozen";
  if (lora.use_lora) return "lora";
  if (!model.partial_tune) return "frozen";
  return model.partial_blocks < 0 ? "full" : "partial";
}

/** What of the encoder trains. */
export type VisionTraining = "lora" | "partial" | "full" | "frozen";

/** The trainable side of an encoder. */
export interface VisionPart {
  readonly training: VisionTraining;
  /** Which of the encoder's own parameters train: for `Parameters`. */
  readonly trains: (name: string) => boolean;
  /** Low-rank update of a linear layer by its name: for `createEncoder`. */
  readonly lora: (name: string) => LoraOptions | undefined;
  /** Names of the layers with low-rank updates, in the order of the network. */
  readonly targets: readonly string[];
  /** For `parameterGroups`; undefined where the encoder's own weights do not train. */
  readonly layers: LayerDecay | undefined;
}

/**
 * Makes the trainable side.
 *
 * @param init Start of the matrix A of a layer; without it adapters must be loaded.
 * @throws {ConfigError} If the encoder has fewer blocks than are to train.
 */
export function visionPart(
  config: Pick<VisionConfig, "model" | "lora" | "optim">,
  spec: EncoderSpec,
  init?: (layer: string) => Init,
): VisionPart {
  const training = visionTraining(config);
  const { partial_blocks } = config.model;
  const frozen: VisionPart = {
    training,
    trains: () => false,
    lora: () => undefined,
    targets: [],
    layers: undefined,
  };
  if (training === "frozen") return frozen;
  if (training !== "lora") {
    const { layer_decay: decay } = config.optim;
    return {
      ...frozen,
      trains: partialParameters(spec, partial_blocks),
      layers: { decay, depth: spec.arch.depth, pooler: spec.output.pooler !== undefined },
    };
  }
  const { r, lora_alpha, lora_dropout, use_rslora, lora_rule } = config.lora;
  // The reference takes no blocks for one.
  const blocks = partial_blocks < 0 ? "all" : Math.max(1, partial_blocks);
  const targets = loraTargets(spec, { blocks, rule: lora_rule });
  const chosen = new Set(targets);
  const options: LoraOptions = {
    rank: r,
    alpha: use_rslora ? lora_alpha * Math.sqrt(r) : lora_alpha,
    dropout: lora_dropout,
  };
  const lora = (name: string): LoraOptions | undefined =>
    chosen.has(name) ? { ...options, ...(init && { init: init(name) }) } : undefined;
  return { ...frozen, lora, targets };
}
