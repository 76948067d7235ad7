/**
 * Kaiko ViT-S/16, DINO on TCGA.
 *
 * @module
 */

import { type EncoderSpec, HALF, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** Kaiko ViT-S/16, DINO on TCGA. */
export const spec: EncoderSpec = {
  name: "kaiko-vits16",
  aliases: ["kaiko-s16", "vits16.kaiko"],
  source: {
    repo: "1aurent/vit_small_patch16_224.kaiko_ai_towards_large_pathology_fms",
    files: ["model.safetensors"],
    licence: "LicenseRef-kaiko-noncommercial",
    gated: false,
    paper: "arXiv:2404.15217",
  },
  family: "timm",
  arch: { ...PLAIN_VIT, width: 384, depth: 12, heads: 6, hidden: 1536, patch: 16, imageSize: 224 },
  input: { size: 224, resize: 224, interpolation: "bilinear", ...HALF, mpp: 0.5, tile: 256 },
  output: { pooling: "cls", dim: 384 },
  precision: { trident: "f32" },
  lora: SEAL_RULE,
  parity: "lunit",
};
