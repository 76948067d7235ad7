/**
 * What one published encoder is, as data: where its weights lie, its architecture, how images are prepared, what comes
 * out, which layers the SEAL recipe adapts. One file of `src/models/encoders/` holds one {@linkcode EncoderSpec}.
 *
 * @module
 */

import type { ResampleFilter } from "../core/resample.ts";

/** Layouts of state dicts on disk; `families/` maps each to the names of `vit.ts`. */
export type FamilyName = "timm" | "dinov2" | "hf_vit" | "hf_dinov2" | "conch" | "conch_v15" | "beit3";

/** Where the weights of an encoder lie. */
export interface EncoderSource {
  /** Hugging Face repository, `org/name`. */
  readonly repo: string;
  /** Other repositories that hold the same weights, tried after `repo`. */
  readonly mirrors?: readonly string[];
  /** Weight files, tried in this order. */
  readonly files: readonly string[];
  /** SHA-256 of files, where it is known. */
  readonly sha256?: Readonly<Record<string, string>>;
  /** SPDX identifier, or `LicenseRef-…` for the owners' own terms. */
  readonly licence: string;
  /** Whether terms must be accepted on the page of the repository first. */
  readonly gated: boolean;
  /** DOI or arXiv number. */
  readonly paper: string;
}

/** How a position table is brought to another grid; see `positions.ts`. */
export interface PositionRule {
  /** Interpolation. */
  readonly filter: ResampleFilter;
  /** As PyTorch's `antialias`. */
  readonly antialias: boolean;
  /** Added to the wanted extent when the step is computed: DINOv2's 0.1. */
  readonly offset?: number;
  /** First brought to this grid, bilinearly without antialiasing, if the file has another one. */
  readonly firstGrid?: number;
}

/** How the MLP of a block is: exact GELU, or gated with the gate in the first rows, by SiLU or by GELU. */
export type MlpKind = "gelu" | "swiglu" | "geglu";

/** Sizes of the vision transformer, in the terms of `VitConfig`. */
export interface EncoderArch {
  /** Features of a token. */
  readonly width: number;
  /** Blocks. */
  readonly depth: number;
  /** Attention heads; cannot be read from weights. */
  readonly heads: number;
  /** Width between the MLP layers; for a gated one that of the product, half of fc1's rows. */
  readonly hidden: number;
  /** How the MLP of a block is. */
  readonly mlp: MlpKind;
  /** Side of a patch, px. */
  readonly patch: number;
  /** Side of the image the position table is made for, px. */
  readonly imageSize: number;
  /** Register tokens after the class token. */
  readonly registers: number;
  /** Rows of the position table before those of the patches: 0, 1 (class token) or 1 + registers. */
  readonly prefixPositions: number;
  /** Whether residual branches are scaled. */
  readonly layerScale: boolean;
  /** Whether the qkv layer has a bias. */
  readonly qkvBias: boolean;
  /** Of the normalisations of the trunk. */
  readonly eps: number;
  /** Whether the last normalisation comes after the pooling, as timm's `fc_norm`; default before it. */
  readonly normAfterPool?: boolean;
}

/** How a tile becomes the input of an encoder: Pillow's resize of the shorter side, then a crop of the centre. */
export interface EncoderInput {
  /** Side of what the network sees, px. */
  readonly size: number;
  /** The shorter side is brought to this first, px; undefined resizes nothing. */
  readonly resize?: number;
  /** timm's `crop_pct`, where the resize comes of it: for another size it is that size by this, rounded down. */
  readonly cropPct?: number;
  /** Both sides are brought to `resize`, whatever the shape. */
  readonly squash?: boolean;
  /** The longer side is brought to `resize` instead of the shorter one; what would need padding is refused. */
  readonly border?: boolean;
  /** Nothing is cropped: a tile that is not of the right size after the resize is refused. */
  readonly whole?: boolean;
  /** How the place of the crop is rounded: halves to the even neighbour, as torchvision (default), or down, as transformers. */
  readonly rounding?: "even" | "floor";
  /** Filter of the resize. */
  readonly interpolation: ResampleFilter;
  /** Channel means of x/255. */
  readonly mean: readonly [number, number, number];
  /** Channel standard deviations of x/255. */
  readonly std: readonly [number, number, number];
  /** Pixel size of the tile, micrometres. */
  readonly mpp: number;
  /** Side of the tile before resizing that TRIDENT cuts at `mpp`, px. */
  readonly tile: number;
}

/** Attentional pooling: one query over all tokens, then a normalisation. */
export interface PoolerArch {
  /** Features of query and embedding. */
  readonly width: number;
  /** Attention heads. */
  readonly heads: number;
  /** Whether query, key, value and output layers have a bias. */
  readonly bias: boolean;
  /** Of the normalisations of the pooler. */
  readonly eps: number;
}

/** How tokens become one embedding. */
export type Pooling = "cls" | "mean" | "cls+mean" | "attn_pool";

/** All of them. */
export const POOLINGS: readonly Pooling[] = ["cls", "mean", "cls+mean", "attn_pool"];

/** What an encoder returns. */
export interface EncoderOutput {
  /** `cls`: normalised class token; `mean`: that of the patch tokens, registers left out; `cls+mean`: one behind the other. */
  readonly pooling: Pooling;
  /** Features of the embedding. */
  readonly dim: number;
  /** Present with `attn_pool`. */
  readonly pooler?: PoolerArch;
}

/** Linear layers of a block, by the names of `vit.ts`. */
export type BlockLinear = "attn.qkv" | "attn.proj" | "mlp.fc1" | "mlp.fc2";

/** Which layers are adapted. */
export interface LoraRecipe {
  /** Name of the backbone in SEAL, where it has one. */
  readonly seal?: string;
  /** Before the name of a block in the module that SEAL wraps. */
  readonly root: string;
  /** Layers of a block that SEAL's rule adapts: names that contain `attn` or `mlp`. */
  readonly targets: readonly BlockLinear[];
  /** Last blocks SEAL adapts, by default or in its published weights. */
  readonly blocks: number | "all";
  /** Side of the input SEAL feeds, px, where it is not that of the encoder. */
  readonly inputSize?: number;
  /** Where the published rule does something its authors hardly meant, what it is. */
  readonly surprise?: string;
}

/** Number formats PyTorch ran an encoder in; published vectors carry their rounding. */
export type Autocast = "f32" | "f16" | "bf16";

/** One published encoder. */
export interface EncoderSpec {
  /** Name in every option, output and report. */
  readonly name: string;
  /** Other spellings, TRIDENT's and SEAL's among them; case, `-`, `_`, `.` and `/` are not looked at. */
  readonly aliases: readonly string[];
  /** Trained on photographs: a baseline that has seen no tissue. */
  readonly natural?: boolean;
  /** Why it cannot be loaded, if it cannot. */
  readonly refused?: string;
  /** Where the weights lie. */
  readonly source: EncoderSource;
  /** Layout of the published file; the file at hand decides. */
  readonly family: FamilyName;
  /** Sizes. */
  readonly arch: EncoderArch;
  /** Rule for other grids than the one on disk; the family's own by default. */
  readonly positions?: PositionRule;
  /** How tiles are prepared. */
  readonly input: EncoderInput;
  /** What comes out. */
  readonly output: EncoderOutput;
  /** What SEAL and TRIDENT compute in. */
  readonly precision: { readonly seal?: Autocast; readonly trident?: Autocast };
  /** What the SEAL recipe adapts. */
  readonly lora: LoraRecipe;
  /** Fixture below `tests/fixtures/encoders/` whose layout is that of this encoder. */
  readonly parity: string;
  /** What is uncertain, or differs between the published pipelines. */
  readonly notes?: readonly string[];
  /** What no file says of these weights, and the value assumed for it. */
  readonly assumed?: readonly string[];
}

/** Features of an embedding. */
export function pooledDim(pooling: Exclude<Pooling, "attn_pool">, width: number): number {
  return pooling === "cls+mean" ? 2 * width : width;
}

/** A preparation for another side of the input; what is resized keeps its ratio to it, or follows timm's `crop_pct`. */
export function inputOfSize(input: EncoderInput, size: number): EncoderInput {
  if (input.resize === undefined) return { ...input, size };
  const { resize, cropPct } = input;
  return { ...input, size, resize: Math.floor(cropPct === undefined ? resize * size / input.size : size / cropPct) };
}

type Normalisation = Pick<EncoderInput, "mean" | "std">;

/** ImageNet's channel statistics. */
export const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
/** OpenAI CLIP's channel statistics. */
export const OPENAI_CLIP: Normalisation = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};
/** H-optimus' channel statistics. */
export const H_OPTIMUS: Normalisation = { mean: [0.707223, 0.578729, 0.703617], std: [0.211883, 0.230117, 0.177517] };
/** From -1 to 1. */
export const HALF: Normalisation = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** What most encoders share: no registers, a position row for the class token, biases, eps 1e-6. */
export const PLAIN_VIT: Pick<EncoderArch, "mlp" | "registers" | "prefixPositions" | "layerScale" | "qkvBias" | "eps"> =
  { mlp: "gelu", registers: 0, prefixPositions: 1, layerScale: false, qkvBias: true, eps: 1e-6 };

/** SEAL's rule where names are timm's. */
export const ALL_LINEARS: readonly BlockLinear[] = ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"];
/** What SEAL feeds CONCH: tiles of 224 px, without the resize to CONCH's own 448. */
export const SEAL_CONCH = { seal: "conch", inputSize: 224 } as const;
/** Encoders outside SEAL: its rule and its default, the last block. */
export const SEAL_RULE: LoraRecipe = { root: "", targets: ALL_LINEARS, blocks: 1 };
