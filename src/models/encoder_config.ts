/**
 * What a `config.json` beside weights says: of timm's models (`architecture`, `model_args`, `pretrained_cfg`) and of those of
 * transformers (`model_type`, `hidden_size`, …). Sizes are read from the tensors; this gives heads, eps and how pictures are
 * prepared. And specs for encoders that no file of `encoders/` describes.
 *
 * @module
 */

import type { ResampleFilter } from "../core/resample.ts";
import { type EncoderArch, type EncoderInput, type EncoderSpec, IMAGENET, SEAL_RULE } from "./encoder_spec.ts";
import type { Keymap } from "./families/keymap.ts";

/** What a configuration says; absent where it says nothing. */
export interface ConfigFacts {
  /** Attention heads. */
  readonly heads?: number;
  /** Of the normalisations. */
  readonly eps?: number;
  /** Side of the image the position table is made for, px. */
  readonly imageSize?: number;
  /** How pictures are prepared. */
  readonly input?: Partial<EncoderInput>;
}

type Json = Readonly<Record<string, unknown>>;

function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : {};
}

function number(value: unknown, above = 0): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value > above ? value : undefined;
}

function triple(value: unknown): readonly [number, number, number] | undefined {
  const good = Array.isArray(value) && value.length === 3 &&
    value.every((v) => typeof v === "number" && Number.isFinite(v));
  return good ? value as [number, number, number] : undefined;
}

function filter(value: unknown): ResampleFilter | undefined {
  return value === "bilinear" || value === "bicubic" ? value : undefined;
}

/** Only what is there. */
function given<T extends object>(values: { [K in keyof T]?: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** timm resizes to `size / crop_pct`, rounded down, and crops the centre. */
function timmInput(config: Json): Partial<EncoderInput> {
  const cfg = object(config.pretrained_cfg);
  const size = number(Array.isArray(cfg.input_size) ? cfg.input_size[1] : undefined);
  const crop = number(cfg.crop_pct) ?? 0.875;
  return given<EncoderInput>({
    size,
    resize: size === undefined ? undefined : Math.floor(size / crop),
    squash: cfg.crop_mode === "squash" ? true : undefined,
    interpolation: filter(cfg.interpolation) ?? "bicubic",
    mean: triple(cfg.mean),
    std: triple(cfg.std),
  });
}

/** Reads a parsed `config.json`, or timm's, or `preprocessor_config.json` of transformers. */
export function readEncoderConfig(json: unknown): ConfigFacts {
  const config = object(json);
  if ("pretrained_cfg" in config || "architecture" in config) {
    const heads = number(object(config.model_args).num_heads);
    const input = "pretrained_cfg" in config ? timmInput(config) : undefined;
    return given<ConfigFacts>({ heads, imageSize: number(object(config.model_args).img_size) ?? input?.size, input });
  }
  const size = number(config.image_size) ?? number(object(config.crop_size).height) ??
    number(object(config.size).height);
  const resize = number(object(config.size).shortest_edge) ?? number(object(config.size).height);
  // Pillow's numbers of the filters.
  const interpolation = config.resample === 3 ? "bicubic" : config.resample === 2 ? "bilinear" : undefined;
  const input = given<EncoderInput>(
    {
      size,
      resize: config.do_resize === false ? undefined : resize,
      interpolation,
      mean: triple(config.image_mean),
      std: triple(config.image_std),
    } as { [K in keyof EncoderInput]: EncoderInput[K] | undefined },
  );
  return given<ConfigFacts>({
    heads: number(config.num_attention_heads),
    eps: number(config.layer_norm_eps),
    imageSize: number(config.image_size),
    input: Object.keys(input).length > 0 ? input : undefined,
  });
}

/**
 * A spec for weights without one: sizes from the tensors, preparation from the configuration.
 *
 * @param name Name in outputs, such as that of the folder.
 * @param keymap Of the weights.
 * @param facts Of the configurations at hand, later ones winning.
 * @returns `cls` pooling, or attentional pooling where the weights have it; ImageNet's statistics unless told otherwise.
 */
export function specOfWeights(name: string, keymap: Keymap, ...facts: readonly ConfigFacts[]): EncoderSpec {
  const { arch: { grid: _, pooler, ...arch }, family } = keymap;
  const input: Partial<EncoderInput> = Object.assign({}, ...facts.map((fact) => fact.input ?? {}));
  const size = input.size ?? arch.imageSize;
  const assumed = input.mean === undefined || input.std === undefined;
  return {
    name,
    aliases: [],
    source: { repo: "", files: [], licence: "LicenseRef-unknown", gated: false, paper: "" },
    family,
    arch,
    input: { resize: size, interpolation: "bicubic", ...IMAGENET, mpp: 0.5, tile: size, ...input, size },
    output: pooler ? { pooling: "attn_pool", dim: pooler.width, pooler } : { pooling: "cls", dim: arch.width },
    precision: {},
    lora: pooler ? { ...SEAL_RULE, root: "trunk." } : SEAL_RULE,
    parity: "",
    notes: assumed ? ["No configuration gives mean and standard deviation: ImageNet's are assumed."] : [],
  };
}

/** Keys of a weights file's own metadata. */
const ENCODER_KEY = "seal_encoder", CONFIG_KEY = "seal_config";

/**
 * What a weights file that this project writes says of itself, since its path may not and a `config.json` may be missing.
 *
 * @param arch Of the weights; `heads` is left out where it is not known.
 * @param facts What is known besides, later ones winning.
 * @param encoder Name of the encoder it was made from, if that is one of the registry.
 */
export function encoderMetadata(
  arch: Omit<EncoderArch, "heads"> & { heads: number | undefined },
  facts: readonly ConfigFacts[],
  encoder?: string,
): Record<string, string> {
  const input: Partial<EncoderInput> = Object.assign({}, ...facts.map((fact) => fact.input ?? {}));
  const config = given<Record<string, unknown>>({
    num_attention_heads: arch.heads,
    layer_norm_eps: arch.eps,
    image_size: arch.imageSize,
    crop_size: input.size === undefined ? undefined : { height: input.size, width: input.size },
    size: input.resize === undefined ? undefined : { shortest_edge: input.resize },
    resample: input.interpolation === undefined ? undefined : input.interpolation === "bicubic" ? 3 : 2,
    image_mean: input.mean,
    image_std: input.std,
  });
  return { ...(encoder !== undefined && { [ENCODER_KEY]: encoder }), [CONFIG_KEY]: JSON.stringify(config) };
}

/** What {@linkcode encoderMetadata} wrote; nothing in files of others. */
export function readEncoderMetadata(
  metadata: Readonly<Record<string, string>>,
): { encoder: string | undefined; facts: ConfigFacts[] } {
  const text = metadata[CONFIG_KEY];
  let facts: ConfigFacts[] = [];
  try {
    if (text !== undefined) facts = [readEncoderConfig(JSON.parse(text))];
  } catch {
    // Of another writer: nothing is known then.
  }
  return { encoder: metadata[ENCODER_KEY], facts };
}
