/**
 * `config.json` and `preprocessor_config.json` of transformers.
 *
 * Source: transformers 5.24, `image_processing_backends.py` (`_preprocess`), `image_processing_utils.py` (`get_size_dict`), the image
 * processors of ViT, DeiT, BiT, CLIP, SigLIP, BEiT and PVT, and `models/{vit,dinov2}/configuration_*.py`.
 *
 * @module
 */

import type { ResampleFilter } from "../core/resample.ts";
import type { ConfigReader } from "./config_reader.ts";
import type { ConfigFacts, ToldInput } from "./encoder_config.ts";
import { type EncoderInput, HALF, IMAGENET, OPENAI_CLIP } from "./encoder_spec.ts";

type Statistics = Pick<EncoderInput, "mean" | "std">;

/** What an image processor does where its file says nothing. */
interface Processor {
  /** Both sides, or the shorter one. */
  readonly size: { readonly both: number } | { readonly shorter: number };
  /** Side of the crop, and whether it is cropped without being told. */
  readonly crop?: number;
  readonly filter: ResampleFilter;
  readonly statistics: Statistics;
}

const BIT: Processor = { size: { shorter: 224 }, crop: 224, filter: "bicubic", statistics: OPENAI_CLIP };
/** Image processors by name, those that do nothing but resize, crop, rescale and normalise. */
const PROCESSORS: Readonly<Record<string, Processor>> = {
  ViT: { size: { both: 224 }, filter: "bilinear", statistics: HALF },
  DeiT: { size: { both: 256 }, crop: 224, filter: "bicubic", statistics: HALF },
  Bit: BIT,
  CLIP: BIT,
  Siglip: { size: { both: 224 }, filter: "bicubic", statistics: HALF },
  Beit: { size: { both: 224 }, filter: "bicubic", statistics: HALF },
  Pvt: { size: { both: 224 }, filter: "bicubic", statistics: IMAGENET },
};
/** The processor transformers takes for a model where the file names none. */
const OF_MODEL: Readonly<Record<string, string>> = { vit: "ViT", vit_msn: "ViT", vit_mae: "ViT", dinov2: "Bit" };
/** Processors with steps of their own. */
const OTHER =
  /^(ConvNext|Levit|EfficientNet|DINOv3ViT|MobileViT|PoolFormer|TimmWrapper|Vivit|VideoMAE|Dpt|DPT|Perceiver)$/;
/** Pillow's numbers of the filters. */
const FILTERS: Readonly<Record<number, ResampleFilter>> = { 2: "bilinear", 3: "bicubic" };
/** Steps that are not computed. */
const STEPS = [
  "do_pad",
  "do_flip_channel_order",
  "do_thumbnail",
  "do_align_long_axis",
  "do_convert_grayscale",
] as const;

function processorOf(file: ConfigReader, modelType: string | undefined): { known?: Processor; name?: string } {
  const key = file.has("image_processor_type") ? "image_processor_type" : "feature_extractor_type";
  const given = file.text(key);
  if (given === undefined) {
    const name = modelType === undefined ? undefined : OF_MODEL[modelType];
    return name === undefined ? {} : { known: PROCESSORS[name]! };
  }
  const name = given.replace(/(Fast|Pil)$/, "").replace(/(ImageProcessor|FeatureExtractor)$/, "");
  if (OTHER.test(name)) file.refuse(key, "one that resizes, crops, rescales and normalises");
  return name in PROCESSORS ? { known: PROCESSORS[name]! } : { name: given };
}

/** A size as a whole number, a pair or a dictionary; `shorter` for the shorter side alone. */
function sizeOf(file: ConfigReader, key: string, square: boolean): { both: number } | { shorter: number } | undefined {
  const value = file.value(key);
  if (value === undefined) return undefined;
  if (typeof value === "number") return square ? { both: file.whole(key)! } : { shorter: file.whole(key)! };
  if (Array.isArray(value)) return { both: file.square(key)! };
  const dict = file.object(key)!;
  for (const other of ["longest_edge", "max_height", "max_width"]) {
    if (dict.has(other)) dict.refuse(other, "shortest_edge, or height and width");
  }
  if (dict.has("shortest_edge")) return { shorter: dict.whole("shortest_edge")! };
  const [height, width] = [dict.whole("height"), dict.whole("width")];
  if (height === undefined || width === undefined) file.wrong(key, "height and width, or shortest_edge");
  if (height !== width) file.refuse(key, "a square");
  return { both: height };
}

/** Mean and standard deviation of x/255, with what rescaling leaves out or does otherwise in them. */
function statisticsOf(file: ConfigReader, known: Statistics | undefined): Statistics | undefined {
  const rescale = file.flag("do_rescale") ?? true;
  const scale = 255 * (rescale ? file.number("rescale_factor") ?? 1 / 255 : 1);
  // 1 / 255 has no exact value, and 1 is meant.
  const factor = Math.abs(scale - 1) < 1e-9 ? 1 : scale;
  const normalise = file.flag("do_normalize") ?? true;
  const mean = normalise ? file.channels("image_mean") ?? known?.mean : [0, 0, 0] as const;
  const std = normalise ? file.channels("image_std") ?? known?.std : [1, 1, 1] as const;
  if (!mean || !std) return undefined;
  if (std.some((value) => value <= 0)) file.wrong("image_std", "numbers above 0");
  const divide = ([r, g, b]: readonly [number, number, number]) => [r / factor, g / factor, b / factor] as const;
  return factor === 1 ? { mean, std } : { mean: divide(mean), std: divide(std) };
}

/** Resize and crop. */
function geometryOf(file: ConfigReader, known: Processor | undefined): ToldInput {
  const square = file.flag("default_to_square") ?? (known === undefined || "both" in known.size);
  const size = sizeOf(file, "size", square) ?? known?.size;
  const resizes = file.flag("do_resize") ?? size !== undefined;
  const given = sizeOf(file, "crop_size", true);
  if (given && "shorter" in given) file.refuse("crop_size", "height and width");
  const crops = file.flag("do_center_crop") ?? (known ? known.crop !== undefined : given !== undefined);
  const crop = crops ? given && "both" in given ? given.both : known?.crop : undefined;
  if (crops && crop === undefined) file.wrong("crop_size", "that of the crop do_center_crop asks for");
  if (resizes && size === undefined) file.wrong("size", "that do_resize asks for");
  const side = !resizes || !size ? undefined : "both" in size ? size.both : size.shorter;
  const squash = resizes && size !== undefined && "both" in size;
  const resample = file.value("resample");
  if (resizes && resample !== undefined && !(Number(resample) in FILTERS)) {
    file.refuse("resample", "2 (bilinear) or 3 (bicubic)");
  }
  const filter = resample === undefined ? known?.filter : FILTERS[Number(resample)];
  return {
    ...((crop ?? side) !== undefined && { size: crop ?? side }),
    resize: side,
    squash,
    border: false,
    whole: crop === undefined && !squash,
    rounding: "floor",
    ...(filter && { interpolation: filter }),
  };
}

/**
 * Reads `preprocessor_config.json`.
 *
 * @param modelType Of the `config.json` beside it.
 */
export function readPreprocessor(file: ConfigReader, modelType?: string): ConfigFacts {
  const { known, name } = processorOf(file, modelType);
  for (const step of STEPS) file.only(step, false);
  file.only("rescale_offset", false);
  for (const key of ["crop_pct", "size_divisor"]) if (file.has(key)) file.refuse(key, "none");
  const statistics = statisticsOf(file, known?.statistics);
  return {
    input: { ...geometryOf(file, known), ...statistics },
    notes: name === undefined ? [] : [
      `${name} of ${file.file} is not known here: tiles are resized, cropped, rescaled and normalised as its keys say`,
    ],
  };
}

/** Kinds of model whose tensors have the names of ViT and Dinov2 and that compute the same, and their eps if nothing is said. */
const PLAIN: Readonly<Record<string, number>> = {
  vit: 1e-12,
  vit_msn: 1e-6,
  dinov2: 1e-6,
  dinov2_with_registers: 1e-6,
};
/** What these classes have where a configuration says nothing. */
const HEADS = 12, IMAGE_SIZE = 224;

/** Reads `config.json` of transformers. */
export function readTransformersConfig(config: ConfigReader): ConfigFacts {
  const type = config.text("model_type");
  const plain = type !== undefined && type in PLAIN;
  const heads = config.whole("num_attention_heads") ?? (plain ? HEADS : undefined);
  const width = config.whole("hidden_size");
  if (config.has("head_dim") && heads !== undefined && config.whole("head_dim") !== (width ?? 0) / heads) {
    config.refuse("head_dim", "hidden_size over num_attention_heads");
  }
  const gated = config.flag("use_swiglu_ffn") ?? false;
  if (!gated) config.only("hidden_act", "gelu");
  if (config.has("num_channels") && config.value("num_channels") !== 3) config.refuse("num_channels", "3");
  const imageSize = config.square("image_size") ?? (plain ? IMAGE_SIZE : undefined);
  config.square("patch_size");
  const eps = config.number("layer_norm_eps") ?? (plain ? PLAIN[type] : undefined);
  return {
    configured: true,
    ...(heads !== undefined && { heads }),
    ...(eps !== undefined && { eps }),
    ...(imageSize !== undefined && { imageSize }),
    ...((gated || config.has("hidden_act")) && { activation: gated ? "silu" : "gelu" }),
    notes: type === undefined || plain ? [] : [
      `model_type ${type} of ${config.file} is not known here: its tensors are read as those of a plain vision transformer`,
    ],
  };
}
