/**
 * DINOv2 ViT-g/14 of natural images.
 *
 * @module
 */

import { type EncoderSpec, IMAGENET, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** DINOv2 ViT-g/14 of natural images. */
export const spec: EncoderSpec = {
  name: "dinov2-g",
  aliases: ["dinov2_vitg14", "dinov2-giant"],
  natural: true,
  source: {
    repo: "timm/vit_giant_patch14_dinov2.lvd142m",
    mirrors: ["facebook/dinov2-giant"],
    files: ["model.safetensors", "pytorch_model.bin"],
    licence: "Apache-2.0",
    gated: false,
    paper: "arXiv:2304.07193",
  },
  family: "timm",
  arch: {
    ...PLAIN_VIT,
    width: 1536,
    depth: 40,
    heads: 24,
    hidden: 4096,
    patch: 14,
    imageSize: 518,
    mlp: "swiglu",
    layerScale: true,
  },
  input: { size: 224, resize: 224, interpolation: "bicubic", ...IMAGENET, mpp: 0.5, tile: 224 },
  output: { pooling: "cls", dim: 1536 },
  precision: {},
  lora: SEAL_RULE,
  parity: "gigapath",
  notes: ["Trained at 518 px; used here at 224 like the pathology encoders."],
};
