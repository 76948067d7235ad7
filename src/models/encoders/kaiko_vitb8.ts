/**
 * Kaiko ViT-B/8, DINO on TCGA.
 *
 * @module
 */

import { type EncoderSpec, HALF, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** Kaiko ViT-B/8, DINO on TCGA. */
export const spec: EncoderSpec = {
  name: "kaiko-vitb8",
  aliases: ["kaiko-b8", "vitb8.kaiko"],
  source: {
    repo: "1aurent/vit_base_patch8_224.kaiko_ai_towards_large_pathology_fms",
    files: ["model.safetensors"],
    licence: "LicenseRef-kaiko-noncommercial",
    gated: false,
    paper: "arXiv:2404.15217",
  },
  family: "timm",
  arch: { ...PLAIN_VIT, width: 768, depth: 12, heads: 12, hidden: 3072, patch: 8, imageSize: 224 },
  input: { size: 224, resize: 224, interpolation: "bilinear", ...HALF, mpp: 0.5, tile: 256 },
  output: { pooling: "cls", dim: 768 },
  precision: { trident: "f32" },
  lora: SEAL_RULE,
  parity: "lunit",
};
