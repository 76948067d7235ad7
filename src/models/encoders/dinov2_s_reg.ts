/**
 * DINOv2 ViT-S/14 with four registers of natural images.
 *
 * @module
 */

import { type EncoderSpec, IMAGENET, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** DINOv2 ViT-S/14 with four registers of natural images. */
export const spec: EncoderSpec = {
  name: "dinov2-s-reg",
  aliases: ["dinov2_vits14_reg", "dinov2-with-registers-small"],
  natural: true,
  source: {
    repo: "timm/vit_small_patch14_reg4_dinov2.lvd142m",
    mirrors: ["facebook/dinov2-with-registers-small"],
    files: ["model.safetensors", "pytorch_model.bin"],
    licence: "Apache-2.0",
    gated: false,
    paper: "arXiv:2309.16588",
  },
  family: "timm",
  arch: {
    ...PLAIN_VIT,
    width: 384,
    depth: 12,
    heads: 6,
    hidden: 1536,
    patch: 14,
    imageSize: 518,
    registers: 4,
    prefixPositions: 0,
    layerScale: true,
  },
  input: { size: 224, resize: 224, interpolation: "bicubic", ...IMAGENET, mpp: 0.5, tile: 224 },
  output: { pooling: "cls", dim: 384 },
  precision: {},
  lora: SEAL_RULE,
  parity: "kaiko_l14",
  notes: ["Trained at 518 px; used here at 224 like the pathology encoders."],
};
