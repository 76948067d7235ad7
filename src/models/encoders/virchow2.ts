/**
 * Virchow2: ViT-H/14 with SwiGLU and four registers that have position rows, DINOv2 on 3.1 million slides.
 *
 * @module
 */

import { ALL_LINEARS, type EncoderSpec, IMAGENET, PLAIN_VIT } from "../encoder_spec.ts";

/** Virchow2: ViT-H/14 with SwiGLU and four registers that have position rows, DINOv2 on 3.1 million slides. */
export const spec: EncoderSpec = {
  name: "virchow2",
  aliases: [],
  source: {
    repo: "paige-ai/Virchow2",
    files: ["model.safetensors", "pytorch_model.bin"],
    licence: "CC-BY-NC-ND-4.0",
    gated: true,
    paper: "arXiv:2408.00738",
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
    registers: 4,
    prefixPositions: 5,
    layerScale: true,
  },
  input: { size: 224, resize: 224, interpolation: "bicubic", ...IMAGENET, mpp: 0.5, tile: 224 },
  output: { pooling: "cls+mean", dim: 2560 },
  precision: { seal: "f16", trident: "f16" },
  lora: { seal: "virchow2", root: "model.", targets: ALL_LINEARS, blocks: 1 },
  parity: "virchow2",
  notes: [
    "SEAL's option for the class token alone fails in its own code; pooling `cls` does what it means.",
    "Older SEAL files wrap it as `encoder.` instead of `model.`.",
  ],
};
