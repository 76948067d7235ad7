/**
 * Layers as adapters name them: PEFT files speak of the modules of the Python model, which keeps q, k and v apart in transformers
 * and joins them in timm.
 *
 * @module
 */

import type { BlockLinear, EncoderArch, FamilyName } from "../encoder_spec.ts";
import { FAMILIES, renameTensor } from "./names.ts";

/** Rows of a layer that the Python model keeps apart. */
export type LayerPiece = "q" | "k" | "v" | "gate" | "up";

/** Where an adapted module lies in `vit.ts`. */
export interface AdaptedLayer {
  /** Such as `trunk.blocks.11.attn.qkv`, or `patch_embed.proj`. */
  readonly layer: string;
  /** Which rows of the layer, where the Python model keeps them apart. */
  readonly piece?: LayerPiece;
}

/** The pieces that make a layer up with this one, in the order of its rows; the layer itself where it is whole. */
export function piecesWith(piece: LayerPiece | undefined): readonly (LayerPiece | undefined)[] {
  if (piece === undefined) return [undefined];
  return piece === "gate" || piece === "up" ? ["gate", "up"] : ["q", "k", "v"];
}

/** Wrappers that SEAL and older versions of it put around a backbone. */
const ROOTS = ["", "model.", "encoder."] as const;
const PATCH_EMBED = /^(?:trunk\.)?patch_embed\.proj$/;

/** Whether the family's Python model has a module of this name: transformers has none of timm's, and timm keeps no pieces. */
function isOwn(family: FamilyName, name: string, module: string): boolean {
  const [, part] = /(attn\.(?:qkv|q|k|v)|mlp\.(?:gate|up)|patch_embed\.proj)$/.exec(name) ?? [];
  if (part === undefined) return true;
  if (family.startsWith("hf_")) return !/(^|\.)(attn\.qkv|patch_embed\.proj)$/.test(module);
  return part === "attn.qkv" || part === "patch_embed.proj";
}

/**
 * The layer that a module is.
 *
 * @param family Family of the encoder the adapter belongs to.
 * @param module Name in an adapter file, without PEFT's prefix.
 * @returns Undefined for modules that are neither a linear layer of a block nor the patch embedding.
 */
export function layerOfModule(family: FamilyName, module: string): AdaptedLayer | undefined {
  const { prefixes } = FAMILIES[family];
  for (const root of new Set([...ROOTS, ...prefixes])) {
    if (!module.startsWith(root)) continue;
    const name = renameTensor(FAMILIES[family], `${module.slice(root.length)}.weight`);
    const bare = name.slice(0, -".weight".length);
    if (!isOwn(family, bare, module)) continue;
    if (PATCH_EMBED.test(bare)) return { layer: bare };
    const match = /^((?:trunk\.)?blocks\.\d+\.)(attn\.(?:qkv|proj|q|k|v)|mlp\.(?:fc1|fc2|gate|up))$/.exec(bare);
    if (match === null) continue;
    const [, block, part] = match as unknown as [string, string, string];
    const [kind, piece] = part.split(".") as [string, string];
    if (/^[qkv]$/.test(piece)) return { layer: `${block}attn.qkv`, piece: piece as LayerPiece };
    if (/^(gate|up)$/.test(piece)) return { layer: `${block}mlp.fc1`, piece: piece as LayerPiece };
    return { layer: `${block}${kind}.${piece}` };
  }
  return undefined;
}

const HF: Readonly<Record<"attn.qkv" | "attn.proj", readonly string[]>> = {
  "attn.qkv": ["attention.attention.query", "attention.attention.key", "attention.attention.value"],
  "attn.proj": ["attention.output.dense"],
};

/**
 * The modules of the Python model that a layer is, in the order of its rows.
 *
 * @param layer Such as `blocks.23.mlp.fc1`, with `trunk.` for CONCH.
 */
export function modulesOfLayer(family: FamilyName, layer: string, mlp: EncoderArch["mlp"]): string[] {
  if (PATCH_EMBED.test(layer)) {
    return [family.startsWith("hf_") ? "embeddings.patch_embeddings.projection" : layer];
  }
  const match = /^((?:trunk\.)?blocks\.)(\d+)\.(attn\.qkv|attn\.proj|mlp\.fc1|mlp\.fc2)$/.exec(layer);
  if (match === null || !family.startsWith("hf_")) return [layer];
  const part = match[3] as BlockLinear;
  const block = `encoder.layer.${match[2]}`;
  const gated = mlp !== "gelu";
  const names = part === "mlp.fc1"
    ? [family === "hf_vit" ? "intermediate.dense" : gated ? "mlp.weights_in" : "mlp.fc1"]
    : part === "mlp.fc2"
    ? [family === "hf_vit" ? "output.dense" : gated ? "mlp.weights_out" : "mlp.fc2"]
    : HF[part];
  return names.map((name) => `${block}.${name}`);
}
