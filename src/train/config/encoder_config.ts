/**
 * What the shared parts of training read of a configuration whose method sends images through an encoder.
 *
 * @module
 */

import type { ValuesOf } from "../../core/config_key.ts";
import type { BLOCK_KEYS, CACHE_KEYS, INPUT_KEYS, LORA_KEYS, OPTIM_KEYS } from "./keys.ts";

/** Values of the shared keys. */
export interface EncoderConfig {
  readonly input: Pick<ValuesOf<typeof INPUT_KEYS>, "encoder" | "adapter" | "image_size" | "out">;
  /** `model: linprobe` freezes the encoder. */
  readonly model: ValuesOf<typeof BLOCK_KEYS> & { readonly model?: string };
  readonly lora: ValuesOf<typeof LORA_KEYS>;
  readonly optim: Pick<ValuesOf<typeof OPTIM_KEYS>, "precision" | "augment" | "layer_decay" | "seed">;
  readonly cache: ValuesOf<typeof CACHE_KEYS>;
}

/** What opening an encoder with its trainable side reads of it. */
export interface VisionConfig extends Pick<EncoderConfig, "model" | "lora"> {
  readonly input: Pick<EncoderConfig["input"], "encoder" | "adapter" | "image_size">;
  readonly optim: Pick<EncoderConfig["optim"], "precision" | "layer_decay" | "seed">;
}
