/**
 * How a trained adapter is loaded in Python: the lines a report shows.
 *
 * @module
 */

import type { EncoderSpec, Pooling } from "../models/encoder_spec.ts";
import { describeInput } from "../models/preprocess.ts";
import { RANDOM_PREFIX } from "../models/random_encoder.ts";

/** What the lines are made from. */
export interface LoadingOptions {
  readonly spec: EncoderSpec;
  /** As the run's configuration names the encoder. */
  readonly encoder: string;
  /** Whether that is a folder or file of weights. */
  readonly local: boolean;
  /** Path of the adapter's folder. */
  readonly adapter: string;
}

/** Python that loads the encoder and puts the adapter on it. */
export function loadingCode({ spec, encoder, local, adapter }: LoadingOptions): string {
  return [
    ...imports(spec, local),
    "from peft import PeftModel",
    "",
    ...base(spec, { encoder, local }),
    `encoder = PeftModel.from_pretrained(encoder, ${text(adapter)}).eval()`,
    "with torch.inference_mode():",
    `    # images: ${describeInput(spec.input)}`,
    `    features = ${call(spec)}  # images: [B, 3, ${spec.input.size}, ${spec.input.size}], normalised`,
  ].join("\n");
}

function text(value: string): string {
  return JSON.stringify(value);
}

function imports({ family }: EncoderSpec, local: boolean): string[] {
  if (family !== "timm") return family.startsWith("hf_") ? ["import torch, transformers"] : ["import torch"];
  return local ? ["import timm, torch", "from safetensors.torch import load_file"] : ["import timm, torch"];
}

function base(spec: EncoderSpec, { encoder, local }: { encoder: string; local: boolean }): string[] {
  const { family, arch, source } = spec;
  if (encoder.startsWith(RANDOM_PREFIX)) {
    return ["# A random encoder has no file to load: the lines show the form", ...sizes(spec)];
  }
  if (family === "timm" && local) {
    const path = /\.safetensors$/.test(encoder) ? encoder : `${encoder.replace(/[/\\]+$/, "")}/model.safetensors`;
    return [...sizes(spec), `encoder.load_state_dict(load_file(${text(path)}))`];
  }
  if (family === "timm") {
    const scale = arch.layerScale ? ", init_values=1e-5" : "";
    return [
      `encoder = timm.create_model(${text(`hf-hub:${source.repo}`)}, pretrained=True${scale}, dynamic_img_size=True)`,
    ];
  }
  if (family.startsWith("hf_")) {
    return [`encoder = transformers.AutoModel.from_pretrained(${text(local ? encoder : source.repo)})`];
  }
  return [`# As its authors load it, see ${source.repo}`, "encoder = ..."];
}

/** A timm model of these sizes. */
function sizes({ arch, output }: EncoderSpec): string[] {
  const { width, depth, heads, hidden, mlp, patch, imageSize, layerScale, qkvBias, registers, prefixPositions } = arch;
  // The first layer of a gated MLP has both halves.
  const ratio = (mlp === "gelu" ? hidden : 2 * hidden) / width;
  const more = [
    ...(ratio === 4 ? [] : [`mlp_ratio=${ratio}`]),
    ...(mlp === "gelu" ? [] : ["mlp_layer=timm.layers.SwiGLUPacked"]),
    ...(mlp === "swiglu" ? ["act_layer=torch.nn.SiLU"] : []),
    ...(prefixPositions === 0 ? ["no_embed_class=True"] : []),
    ...(layerScale ? ["init_values=1e-5"] : []),
    ...(qkvBias ? [] : ["qkv_bias=False"]),
    ...(registers ? [`reg_tokens=${registers}`] : []),
    ...poolingArguments(output.pooling, arch.normAfterPool ?? false),
  ];
  return [
    "encoder = timm.models.VisionTransformer(",
    `    img_size=${imageSize}, patch_size=${patch}, embed_dim=${width},`,
    `    depth=${depth}, num_heads=${heads}, num_classes=0,${more.length ? ` ${more.join(", ")},` : ""}`,
    ")",
  ];
}

function poolingArguments(pooling: Pooling, normAfterPool: boolean): string[] {
  if (pooling === "mean") return ['global_pool="avg"', `fc_norm=${normAfterPool ? "True" : "False"}`];
  return pooling === "cls" ? [] : ['global_pool=""'];
}

function call({ family, output: { pooling }, arch: { registers } }: EncoderSpec): string {
  const first = 1 + registers;
  const tokens = family.startsWith("hf_") ? "encoder(images).last_hidden_state" : "encoder(images)";
  if (pooling === "cls+mean") {
    return `torch.cat([(t := ${tokens})[:, 0], t[:, ${first}:].mean(1)], 1)`;
  }
  return family.startsWith("hf_") ? `${tokens}[:, 0]` : tokens;
}
