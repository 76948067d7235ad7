/**
 * DINOv2 ViT-L/14 of natural images.
 *
 * @module
 */

import { type EncoderSpec, IMAGENET, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** DINOv2 ViT-L/14 of natural images. */
export const spec: EncoderSpec = {
  name: "dinov2-l",
  aliases: ["dinov2_vitl14", "dinov2-large"],
  natural: true,
  source: {
    repo: "timm/vit_large_patch14_dinov2.lvd142m",
    mirrors: ["facebook/dinov2-large"],
    files: ["model.safetensors", "pytorch_model.bin"],
    licence: "Apache-2.0",
    gated: false,
    paper: "arXiv:2304.07193",
  },
  family: "timm",
  arch: { ...PLAIN_VIT, width: 1024, depth: 24, heads: 16, hidden: 4096, patch: 14, imageSize: 518, layerScale: true },
  input: { size: 224, resize: 224, interpolation: "bicubic", ...IMAGENET, mpp: 0.5, tile: 224 },
  output: { pooling: "cls", dim: 1024 },
  precision: {},
  lora: SEAL_RULE,
  parity: "uni",
  notes: ["Trained at 518 px; used here at 224 like the pathology encoders."],
};
