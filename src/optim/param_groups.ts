/**
 * Parameter groups of a SEAL run: which learning rate a parameter follows, whether it decays, and, where the encoder's own
 * weights train, how much slower its lower blocks learn.
 *
 * Decay: none on vectors (biases, norms, LayerScale, flow b, temperature), on the class token and on positions, as timm's
 * groups have it; matrices decay, low-rank A and B among them, and so do the vectors u and w of planar flows, which are
 * weights.
 *
 * Layer decay: decay^(top - layer) with layer 0 for the stem (tokens, positions, patch embedding), i + 1 for block i, the
 * last block's for the final norm, and one more for a pooler. Source: timm 1.0.9, `param_groups_layer_decay`, except that it
 * forgets the registers, which lie in the stem here.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { ParameterGroup } from "./adamw.ts";

/** Names of the learning rates. */
export type RateName = "img" | "gene" | "head";

/** A learning rate for each name. */
export type RoleRates = Readonly<Record<RateName, number>>;

/** Options of {@linkcode parameterGroups}. */
export interface ParamGroupOptions {
  /** Decoupled weight decay of what decays. */
  readonly weightDecay: number;
  /** Where a parameter belongs; default {@linkcode roleOf}. */
  readonly role?: (name: string) => RateName;
  /** Layer decay of the encoder; none by default. */
  readonly layers?: LayerDecay;
}

/** How an encoder's learning rates fall towards its input. */
export interface LayerDecay {
  /** Factor from one layer to the one below, at most 1. */
  readonly decay: number;
  /** Blocks. */
  readonly depth: number;
  /** Whether a pooler with weights follows the final norm. */
  readonly pooler?: boolean;
}

/** The encoder's parameters by the names of `vit.ts`, CONCH's pooler among them, and what is added to its embedding. */
const ENCODER =
  /^(trunk\.)?(cls_token|reg_token|pos_embed|patch_embed\.|blocks\.|norm\.)|^(attn_pool_contrast|ln_contrast|adapter|organ_emb)\b/;

/** `gene.` is the gene model's, the encoder's names are the image's, everything else is a head. */
export function roleOf(name: string): RateName {
  if (name.startsWith("gene.")) return "gene";
  return ENCODER.test(name) ? "img" : "head";
}

/** Whether weight decay reaches a parameter. */
export function decays(name: string, tensor: Pick<Tensor, "shape">): boolean {
  if (/(^|\.)(cls_token|pos_embed)$/.test(name)) return false;
  return tensor.shape.length > 1 || /(^|\.)flows\.\d+\.[uw]$/.test(name);
}

/** Layer of an encoder's parameter: 0 for the stem up to `depth`, and `depth + 1` for a pooler. */
export function layerOf(name: string, depth: number): number {
  const block = /^(?:trunk\.)?blocks\.(\d+)\./.exec(name);
  if (block) return Number(block[1]) + 1;
  if (/^(trunk\.)?(cls_token|reg_token|pos_embed|patch_embed\.)/.test(name)) return 0;
  return /^(trunk\.)?norm\./.test(name) ? depth : depth + 1;
}

/**
 * Makes the groups.
 *
 * @throws {ConfigError} If the decay is not in (0, 1] or the depth no whole number above 0.
 */
export function parameterGroups(options: ParamGroupOptions): ParameterGroup[] {
  const { weightDecay, role = roleOf, layers } = options;
  if (layers && !(layers.decay > 0 && layers.decay <= 1 && Number.isInteger(layers.depth) && layers.depth > 0)) {
    throw new ConfigError(
      `Cannot decay learning rates by ${layers.decay} over ${layers.depth} blocks: wanted a number in (0, 1], and blocks`,
      { context: { key: "layer_decay", given: String(layers.decay) } },
    );
  }
  const groups: ParameterGroup[] = [];
  function add(rate: RateName, lrScale: number, mine: (name: string) => boolean): void {
    const common = { rate, lrScale };
    groups.push(
      { ...common, weightDecay, match: (name, tensor) => mine(name) && decays(name, tensor) },
      { ...common, weightDecay: 0, match: (name, tensor) => mine(name) && !decays(name, tensor) },
    );
  }
  if (layers) {
    const top = layers.depth + (layers.pooler ? 1 : 0);
    const layer = (name: string) => Math.min(top, layerOf(name, layers.depth));
    for (let i = 0; i <= top; i++) {
      add("img", layers.decay ** (top - i), (name) => role(name) === "img" && layer(name) === i);
    }
  } else add("img", 1, (name) => role(name) === "img");
  add("gene", 1, (name) => role(name) === "gene");
  add("head", 1, (name) => role(name) === "head");
  return groups;
}
