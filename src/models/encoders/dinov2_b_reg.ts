/**
 * DINOv2 ViT-B/14 with four registers of natural images.
 *
 * @module
 */

import { type EncoderSpec, IMAGENET, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** DINOv2 ViT-B/14 with four registers of natural images. */
export const spec: EncoderSpec = {
  name: "dinov2-b-reg",
  aliases: ["dinov2_vitb14_reg", "dinov2-with-registers-base"],
  natural: true,
  source: {
    repo: "timm/vit_base_patch14_reg4_dinov2.lvd142m",
    mirrors: ["facebook/dinov2-with-registers-base"],
    files: ["model.safetensors", "pytorch_model.bin"],
    licence: "Apache-2.0",
    gated: false,
    paper: "arXiv:2309.16588",
  },
  family: "timm",
  arch: {
    ...PLAIN_VIT,
    width: 768,
    depth: 12,
    heads: 12,
    hidden: 3072,
    patch: 14,
    imageSize: 518,
    registers: 4,
    prefixPositions: 0,
    layerScale: true,
  },
  input: { size: 224, resize: 224, interpolation: "bicubic", ...IMAGENET, mpp: 0.5, tile: 224 },
  output: { pooling: "cls", dim: 768 },
  precision: {},
  lora: SEAL_RULE,
  parity: "kaiko_l14",
  notes: ["Trained at 518 px; used here at 224 like the pathology encoders."],
};
