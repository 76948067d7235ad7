/**
 * Virchow: ViT-H/14 with SwiGLU, DINOv2 on 1.5 million slides.
 *
 * @module
 */

import { ALL_LINEARS, type EncoderSpec, IMAGENET, PLAIN_VIT } from "../encoder_spec.ts";

/** Virchow: ViT-H/14 with SwiGLU, DINOv2 on 1.5 million slides. */
export const spec: EncoderSpec = {
  name: "virchow",
  aliases: ["virchow1"],
  source: {
    repo: "paige-ai/Virchow",
    files: ["model.safetensors", "pytorch_model.bin"],
    licence: "Apache-2.0",
    gated: true,
    paper: "arXiv:2309.07778",
  },
  family: "timm",
  arch: {
    ...PLAIN_VIT,
    width: 1280,
    depth: 32,
    heads: 16,
    hidden: 3416,
    patch: 14,
    imageSize: 224,
    mlp: "swiglu",
    layerScale: true,
  },
  input: { size: 224, resize: 224, interpolation: "bicubic", ...IMAGENET, mpp: 0.5, tile: 224 },
  output: { pooling: "cls+mean", dim: 2560 },
  precision: { seal: "f32", trident: "f16" },
  lora: { seal: "virchow", root: "model.", targets: ALL_LINEARS, blocks: 1 },
  parity: "virchow",
};
