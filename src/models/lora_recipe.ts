/**
 * Which layers SEAL adapts in an encoder.
 *
 * Source: mahmoodlab/SEAL, the selection before `get_peft_model`: every linear layer whose name contains `attn` or `mlp`, in the
 * last blocks. With two encoders the rule does what its authors hardly meant; it is followed unless told otherwise.
 *
 * @module
 */

import type { Key } from "../core/config_key.ts";
import { ConfigError } from "../core/errors.ts";
import { ALL_LINEARS, type BlockLinear, type EncoderArch, type EncoderSpec } from "./encoder_spec.ts";

/** The key that chooses among rules. */
export const LORA_RULE_KEY = {
  kind: "choice",
  of: ["seal", "standard"],
  default: "seal",
  doc: "Layers by the reference's rule (in Phikon-v2 the MLP alone), or all four of a block",
} as const satisfies Key;

/** Options of {@linkcode loraTargets}. */
export interface LoraTargetOptions {
  /** Last blocks adapted; by default as many as SEAL's published weights, or its default of 1. */
  blocks?: number | "all";
  /**
   * `seal` (default) follows the published rule to the letter: in Phikon-v2 only the MLP, because its names say `attention`.
   * `standard` adapts the four linear layers of every chosen block.
   */
  rule?: (typeof LORA_RULE_KEY.of)[number];
}

/**
 * Names of the adapted layers, such as `blocks.23.attn.qkv`, in the order of the network.
 *
 * @throws {ConfigError} If `blocks` is no whole number from 1 to the depth.
 */
export function loraTargets(spec: EncoderSpec, options: LoraTargetOptions = {}): string[] {
  const { depth } = spec.arch;
  const { blocks = spec.lora.blocks, rule = LORA_RULE_KEY.default } = options;
  const count = blocks === "all" ? depth : blocks;
  if (!Number.isInteger(count) || count < 1 || count > depth) {
    throw new ConfigError(`Cannot adapt ${blocks} blocks of ${spec.name}: wanted 1 to ${depth}, or all`, {
      context: { key: "partial_blocks", given: blocks, max: depth },
    });
  }
  const targets = rule === "seal" ? spec.lora.targets : ALL_LINEARS;
  const prefix = spec.output.pooler ? "trunk." : "";
  return Array.from({ length: count }, (_, i) => depth - count + i)
    .flatMap((block) => targets.map((target) => `${prefix}blocks.${block}.${target}`));
}

/** Rows and columns of a linear layer of a block. */
export function linearShape(arch: EncoderArch, layer: BlockLinear): readonly [out: number, input: number] {
  const { width, hidden, mlp } = arch;
  switch (layer) {
    case "attn.qkv":
      return [3 * width, width];
    case "attn.proj":
      return [width, width];
    case "mlp.fc1":
      return [mlp === "gelu" ? hidden : 2 * hidden, width];
    case "mlp.fc2":
      return [width, hidden];
  }
}

/** Trainable parameters that adapters of rank `rank` have on `layers`, as {@linkcode loraTargets} names them. */
export function loraParameterCount(arch: EncoderArch, layers: readonly string[], rank: number): number {
  return layers.reduce((sum, name) => {
    const layer = ALL_LINEARS.find((target) => name.endsWith(`.${target}`));
    if (layer === undefined) throw new ConfigError(`Cannot adapt ${name}: it is no linear layer of a block`);
    const [out, input] = linearShape(arch, layer);
    return sum + rank * (out + input);
  }, 0);
}
