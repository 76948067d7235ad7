/**
 * `config.json` of timm: `architecture`, `model_args` and `pretrained_cfg`.
 *
 * Source: timm 1.0.31, `models/_hub.py` (`_parse_model_cfg`), `data/config.py`, `data/transforms_factory.py`,
 * `models/vision_transformer.py`.
 *
 * @module
 */

import type { ConfigFacts } from "./encoder_config.ts";
import { type EncoderInput, IMAGENET } from "./encoder_spec.ts";
import type { ConfigReader } from "./config_reader.ts";

/** Arguments of `VisionTransformer` that tensors show, that only training knows, or that change no number. */
const HARMLESS: ReadonlySet<string> = new Set([
  "depth",
  "drop_path_rate",
  "drop_rate",
  "attn_drop_rate",
  "proj_drop_rate",
  "pos_drop_rate",
  "patch_drop_rate",
  "dynamic_img_pad",
  "dynamic_img_size",
  "embed_dim",
  "fc_norm",
  "fix_init",
  "in_chans",
  "init_values",
  "mlp_ratio",
  "no_embed_class",
  "num_classes",
  "patch_size",
  "qkv_bias",
  "reg_tokens",
  "strict_img_size",
  "weight_init",
]);
/** Arguments read below, or refused unless they are what is computed. */
const READ: ReadonlySet<string> = new Set(["act_layer", "global_pool", "img_size", "mlp_layer", "num_heads"]);
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  attn_layer: ["attn", "attention", ""],
  block_fn: ["Block"],
  class_token: [true],
  embed_layer: ["PatchEmbed"],
  embed_norm_layer: [""],
  final_norm: [true],
  norm_layer: ["layernorm", "LayerNorm", "layer_norm"],
  pool_include_prefix: [false],
  pos_embed: ["learn"],
  pre_norm: [false],
  proj_bias: [true],
  qk_norm: [false],
  scale_attn_norm: [false],
  scale_mlp_norm: [false],
};
/** Architectures whose own MLP is SwiGLUPacked with SiLU; without saying so any other is gated by GELU. */
const SILU_GATED = /giant_patch14_(?:reg\d_)?(?:dinov2|tipsv2)/;

/** Attention heads of timm's architectures; the first that fits. */
const HEADS: readonly (readonly [RegExp, number])[] = [
  [/giant.*(dinov2|tipsv2|radio)/, 24],
  [/_base_.*_plus_/, 14],
  [/_tiny_/, 3],
  [/_small(_|$)/, 6],
  [/_medium_/, 8],
  [/_base(_|$)/, 12],
  [/_(large|huge|so400m|intern300m|giant|gigantic)(_|$)/, 16],
];

/** Whether a configuration is timm's. */
export function isTimm(config: ConfigReader): boolean {
  return config.has("pretrained_cfg") || config.has("architecture");
}

/** timm resizes to `size / crop_pct`, rounded down, and crops the centre. */
function inputOf(cfg: ConfigReader, args: ConfigReader | undefined): EncoderInput {
  const shape = cfg.value("input_size");
  const [channels, height, width] = Array.isArray(shape) ? shape : [3, 224, 224];
  if (shape !== undefined && !(Array.isArray(shape) && shape.length === 3 && [height, width].every(isSide))) {
    cfg.wrong("input_size", "channels, height and width");
  }
  if (channels !== 3 || height !== width) cfg.refuse("input_size", "three channels and a square");
  const fixed = cfg.flag("fixed_input_size") === true && !args?.flag("dynamic_img_size") &&
    args?.flag("strict_img_size") !== false;
  const size = (fixed ? args?.square("img_size") : undefined) ?? height as number;
  cfg.only("interpolation", "bicubic", "bilinear");
  cfg.only("crop_mode", "center", "squash", "border");
  const mode = cfg.text("crop_mode");
  const cropPct = cfg.number("crop_pct") ?? 0.875;
  const interpolation = cfg.text("interpolation") as EncoderInput["interpolation"] | undefined;
  return {
    size,
    resize: Math.floor(size / cropPct),
    cropPct,
    squash: mode === "squash",
    border: mode === "border",
    whole: false,
    rounding: "even",
    interpolation: interpolation ?? "bicubic",
    mean: cfg.channels("mean") ?? IMAGENET.mean,
    std: cfg.channels("std") ?? IMAGENET.std,
  } as EncoderInput;
}

function isSide(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function poolingOf(config: ConfigReader, args: ConfigReader | undefined): Pick<ConfigFacts, "pooling" | "notes"> {
  const source = args?.has("global_pool") ? args : config;
  source.only("global_pool", "token", "avg", "");
  switch (source.text("global_pool")) {
    case "avg":
      return { pooling: "mean" };
    case "token":
      return { pooling: "cls" };
    case "":
      return {
        notes: [
          'global_pool is "": timm gives all tokens, of which the embedding is the class token unless --pooling says',
        ],
      };
    default:
      return {};
  }
}

/** What gates or follows the first layer of the MLP. */
function activationOf(config: ConfigReader, args: ConfigReader | undefined): ConfigFacts["activation"] {
  if (args?.has("mlp_layer") && !/(^|\.)(Mlp|SwiGLUPacked)$/.test(args.text("mlp_layer")!)) {
    args.refuse("mlp_layer", '"Mlp" or "SwiGLUPacked"');
  }
  const name = args?.text("act_layer")?.toLowerCase().replace(/^.*\./, "");
  if (name === "silu" || name === "swish") return "silu";
  if (name === "gelu") return "gelu";
  if (name !== undefined && name !== "") args!.refuse("act_layer", '"gelu" or "silu"');
  if (SILU_GATED.test(config.text("architecture") ?? "")) return "silu";
  // A Block hands its own act_layer, GELU unless told otherwise, on to the MLP.
  return args?.has("mlp_layer") ? "gelu" : undefined;
}

/** Reads timm's `config.json`. */
export function readTimmConfig(config: ConfigReader): ConfigFacts {
  // Old files are a pretrained_cfg themselves.
  const cfg = config.object("pretrained_cfg") ?? config;
  const args = config.object("model_args");
  const others = (args?.keys() ?? []).filter((key) => args!.has(key) && !HARMLESS.has(key) && !READ.has(key));
  for (const key of others) if (key in NEUTRAL) args!.only(key, ...NEUTRAL[key]!);
  const unknown = others.filter((key) => !(key in NEUTRAL));
  const activation = activationOf(config, args);
  const heads = args?.whole("num_heads");
  const usualHeads = HEADS.find(([name]) => name.test(config.text("architecture") ?? ""))?.[1];
  const imageSize = args?.square("img_size");
  const input = inputOf(cfg, args);
  const { notes = [], ...pooling } = poolingOf(config, args);
  return {
    configured: true,
    ...(heads !== undefined && { heads }),
    ...(usualHeads !== undefined && { usualHeads }),
    imageSize: imageSize ?? input.size,
    input,
    ...pooling,
    ...(activation && { activation }),
    notes: [
      ...notes,
      ...unknown.map((key) => `model_args.${key} of ${config.file} is not known here and was not looked at`),
    ],
  };
}
