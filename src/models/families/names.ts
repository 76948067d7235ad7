/**
 * Families of state dicts: how to tell them apart, and their names as those of timm, which `vit.ts` uses. After renaming,
 * layers that a family keeps apart are called `attn.q`, `attn.k`, `attn.v`, `mlp.gate`, `mlp.up`, `to_k` and `to_v`;
 * `keymap.ts` joins them.
 *
 * @module
 */

import type { FamilyName, PositionRule } from "../encoder_spec.ts";

/** A pattern and what replaces it. */
export type Rename = readonly [RegExp, string];

/** How one family writes an encoder. */
export interface Family {
  readonly name: FamilyName;
  /** Names that are all there, after the prefix. */
  readonly anchors: readonly RegExp[];
  /** Holds for the bare names as well, where anchors are shared. */
  readonly when?: (has: (pattern: RegExp) => boolean) => boolean;
  /** Modules the encoder may lie in. */
  readonly prefixes: readonly string[];
  /** Before timm's names, in the file as in `vit.ts`. */
  readonly trunk: "" | "trunk.";
  /** Applied in order to names without their prefix. */
  readonly renames: readonly Rename[];
  /** Names that are no part of the encoder. */
  readonly ignore: readonly RegExp[];
  /** Rows of the position table before those of the patches, where the family always has as many. */
  readonly prefixPositions?: 1;
  /** How the original brings positions to another grid. */
  readonly positions: (registers: number) => PositionRule;
  /** Of the normalisations of the trunk, where no configuration says otherwise. */
  readonly eps: number;
  /** Whether an attentional pooler follows the trunk. */
  readonly pooler: boolean;
}

/** Bicubic with antialiasing: timm, DINOv2 with registers, Hibou. */
export const ANTIALIASED: PositionRule = { filter: "bicubic", antialias: true };
/** Bicubic without: transformers' ViTModel and Dinov2Model, MUSK. */
export const PLAIN: PositionRule = { filter: "bicubic", antialias: false };
/** With DINOv2's offset: Meta's models without registers. */
export const OFFSET: PositionRule = { filter: "bicubic", antialias: false, offset: 0.1 };

const HEADS: readonly RegExp[] = [/^head\./, /^fc_norm\./, /^head_dist\./, /^pre_logits\./, /^(mask|dist)_token$/];
const WRAPPERS: readonly string[] = ["", "model.", "encoder."];
const HF_EMBEDDINGS: readonly Rename[] = [
  [/^embeddings\.cls_token$/, "cls_token"],
  [/^embeddings\.register_tokens$/, "reg_token"],
  [/^embeddings\.position_embeddings$/, "pos_embed"],
  [/^embeddings\.patch_embeddings\.projection\./, "patch_embed.proj."],
  [/^(?:encoder\.layer|layers)\.(\d+)\./, "blocks.$1."],
  [/^layernorm\./, "norm."],
];
// The second spellings are those transformers 5 has in memory.
const HF_ATTENTION: readonly Rename[] = [
  [/\.attention\.attention\.query\.|\.attention\.q_proj\./, ".attn.q."],
  [/\.attention\.attention\.key\.|\.attention\.k_proj\./, ".attn.k."],
  [/\.attention\.attention\.value\.|\.attention\.v_proj\./, ".attn.v."],
  [/\.attention\.output\.dense\.|\.attention\.o_proj\./, ".attn.proj."],
];
const HF_IGNORE: readonly RegExp[] = [/^embeddings\.mask_token$/, /^(?:\w+\.)?(?:pooler|classifier|decoder)\./];

/** Families by name. */
export const FAMILIES: Readonly<Record<FamilyName, Family>> = {
  timm: {
    name: "timm",
    anchors: [/^patch_embed\.proj\.weight$/, /^blocks\.0\.norm1\.weight$/],
    when: (has) => !isRaw(has),
    prefixes: WRAPPERS,
    trunk: "",
    renames: [],
    ignore: HEADS,
    positions: () => ANTIALIASED,
    eps: 1e-6,
    pooler: false,
  },
  dinov2: {
    name: "dinov2",
    anchors: [/^patch_embed\.proj\.weight$/, /^blocks\.0\.(?:0\.)?norm1\.weight$/],
    when: isRaw,
    prefixes: WRAPPERS,
    trunk: "",
    renames: [
      // The index within a chunk is that within the network already.
      [/^blocks\.\d+\.(\d+)\./, "blocks.$1."],
      [/^register_tokens$/, "reg_token"],
      [/\.mlp\.w12\./, ".mlp.fc1."],
      [/\.mlp\.w3\./, ".mlp.fc2."],
    ],
    ignore: HEADS,
    prefixPositions: 1,
    positions: (registers) => (registers > 0 ? ANTIALIASED : OFFSET),
    eps: 1e-6,
    pooler: false,
  },
  hf_vit: {
    name: "hf_vit",
    anchors: [
      /^embeddings\.patch_embeddings\.projection\.weight$/,
      /^(?:encoder\.layer|layers)\.0\.layernorm_before\.weight$/,
    ],
    prefixes: ["", "vit.", "model."],
    trunk: "",
    renames: [
      ...HF_EMBEDDINGS,
      ...HF_ATTENTION,
      [/\.layernorm_before\./, ".norm1."],
      [/\.layernorm_after\./, ".norm2."],
      [/\.intermediate\.dense\./, ".mlp.fc1."],
      [/^(blocks\.\d+)\.output\.dense\./, "$1.mlp.fc2."],
    ],
    ignore: HF_IGNORE,
    prefixPositions: 1,
    positions: () => PLAIN,
    eps: 1e-12,
    pooler: false,
  },
  hf_dinov2: {
    name: "hf_dinov2",
    anchors: [/^embeddings\.patch_embeddings\.projection\.weight$/, /^(?:encoder\.layer|layers)\.0\.norm1\.weight$/],
    prefixes: ["", "dinov2.", "dinov2_with_registers.", "model."],
    trunk: "",
    renames: [
      ...HF_EMBEDDINGS,
      ...HF_ATTENTION,
      [/\.layer_scale([12])\.lambda1$/, ".ls$1.gamma"],
      [/\.mlp\.weights_in\./, ".mlp.fc1."],
      [/\.mlp\.(?:weights_out|down_proj)\./, ".mlp.fc2."],
      [/\.mlp\.gate_proj\./, ".mlp.gate."],
      [/\.mlp\.up_proj\./, ".mlp.up."],
    ],
    ignore: HF_IGNORE,
    prefixPositions: 1,
    positions: (registers) => (registers > 0 ? ANTIALIASED : PLAIN),
    eps: 1e-6,
    pooler: false,
  },
  conch: {
    name: "conch",
    anchors: [/^trunk\.patch_embed\.proj\.weight$/, /^attn_pool_contrast\.attn\.k_proj_weight$/],
    prefixes: ["visual.", ""],
    trunk: "trunk.",
    renames: [
      [/^(attn_pool_contrast)\.attn\.([qkv])_proj_weight$/, "$1.to_$2.weight"],
      [/^(attn_pool_contrast)\.attn\.in_proj_bias$/, "$1.in_proj_bias"],
      [/^(attn_pool_contrast)\.attn\.out_proj\./, "$1.to_out."],
    ],
    ignore: [
      /^text(_decoder)?\./,
      /^logit_scale$/,
      /^attn_pool_caption\./,
      /^ln_caption\./,
      /^proj_contrast$/,
      /^trunk\.head\./,
    ],
    prefixPositions: 1,
    positions: () => ANTIALIASED,
    eps: 1e-6,
    pooler: true,
  },
  conch_v15: {
    name: "conch_v15",
    anchors: [/^trunk\.patch_embed\.proj\.weight$/, /^attn_pool_contrast\.to_kv\.weight$/],
    prefixes: ["", "visual."],
    trunk: "trunk.",
    renames: [],
    ignore: [/^trunk\.head\./, /^attn_pool_caption\./, /^ln_caption\./, /^proj_contrast$/],
    prefixPositions: 1,
    positions: () => OFFSET,
    eps: 1e-6,
    pooler: true,
  },
  beit3: {
    name: "beit3",
    anchors: [/^beit3\.vision_embed\.proj\.weight$/],
    prefixes: [""],
    trunk: "",
    renames: [],
    ignore: [],
    positions: () => PLAIN,
    eps: 1e-5,
    pooler: false,
  },
};

/** Networks that are recognised only to say that they cannot be loaded. */
export const UNSUPPORTED: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)layers\.\d+\.blocks\.\d+\.attn\.relative_position_bias_table$/, "a Swin transformer (CTransPath is one)"],
  [/(^|\.)layer1\.0\.conv1\.weight$/, "a ResNet"],
  [/(^|\.)stages\.\d+\.blocks\.\d+\.conv_dw\.weight$/, "a ConvNeXt"],
  [/(^|\.)encoder\.layers\.\d+\.self_attn\.relative_position/, "LongNet (GigaPath's slide encoder is one)"],
];

/** Meta's own DINOv2 files: timm's names but for these. */
function isRaw(has: (pattern: RegExp) => boolean): boolean {
  if (has(/^register_tokens$/) || has(/^blocks\.\d+\.(?:\d+\.)?mlp\.w12\./) || has(/^blocks\.\d+\.\d+\./)) return true;
  return has(/^mask_token$/) && !has(/^reg_token$/);
}

/** The name as timm's, without the prefix of the file. */
export function renameTensor(family: Family, name: string): string {
  return family.renames.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), name);
}
