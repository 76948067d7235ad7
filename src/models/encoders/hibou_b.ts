/**
 * Hibou-B: ViT-B/14 with SwiGLU and four registers without positions, DINOv2.
 *
 * @module
 */

import { type EncoderSpec, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** Hibou-B: ViT-B/14 with SwiGLU and four registers without positions, DINOv2. */
export const spec: EncoderSpec = {
  name: "hibou-b",
  aliases: [],
  source: {
    repo: "histai/hibou-b",
    files: ["model.safetensors"],
    licence: "Apache-2.0",
    gated: false,
    paper: "arXiv:2406.05074",
  },
  family: "hf_dinov2",
  arch: {
    ...PLAIN_VIT,
    width: 768,
    depth: 12,
    heads: 12,
    hidden: 2048,
    patch: 14,
    imageSize: 224,
    mlp: "swiglu",
    registers: 4,
    layerScale: true,
  },
  input: {
    size: 224,
    resize: 224,
    interpolation: "bicubic",
    mean: [0.7068, 0.5755, 0.722],
    std: [0.195, 0.2316, 0.1816],
    mpp: 0.5,
    tile: 224,
  },
  output: { pooling: "cls", dim: 768 },
  precision: {},
  lora: SEAL_RULE,
  parity: "hibou",
};
