/**
 * Kaiko ViT-L/14 with four registers, DINOv2 on TCGA.
 *
 * @module
 */

import { type EncoderSpec, HALF, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** Kaiko ViT-L/14 with four registers, DINOv2 on TCGA. */
export const spec: EncoderSpec = {
  name: "kaiko-vitl14",
  aliases: ["kaiko-l14"],
  source: {
    repo: "1aurent/vit_large_patch14_reg4_224.kaiko_ai_towards_large_pathology_fms",
    mirrors: ["1aurent/vit_large_patch14_reg4_dinov2.kaiko_ai_towards_large_pathology_fms"],
    files: ["model.safetensors"],
    licence: "LicenseRef-kaiko-noncommercial",
    gated: false,
    paper: "arXiv:2404.15217",
  },
  family: "timm",
  arch: {
    ...PLAIN_VIT,
    width: 1024,
    depth: 24,
    heads: 16,
    hidden: 4096,
    patch: 14,
    imageSize: 518,
    registers: 4,
    prefixPositions: 0,
    layerScale: true,
  },
  input: { size: 224, resize: 224, interpolation: "bilinear", ...HALF, mpp: 0.5, tile: 256 },
  output: { pooling: "cls", dim: 1024 },
  precision: { trident: "f32" },
  lora: SEAL_RULE,
  parity: "kaiko_l14",
  notes: ["Trained at 518 px, used at 224; the file may hold a grid of 37 or of 16."],
};
