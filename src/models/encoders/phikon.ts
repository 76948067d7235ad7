/**
 * Phikon: ViT-B/16, iBOT on TCGA.
 *
 * @module
 */

import { type EncoderSpec, IMAGENET, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** Phikon: ViT-B/16, iBOT on TCGA. */
export const spec: EncoderSpec = {
  name: "phikon",
  aliases: ["phikon_v1"],
  source: {
    repo: "owkin/phikon",
    files: ["model.safetensors", "pytorch_model.bin"],
    licence: "LicenseRef-Owkin-noncommercial",
    gated: false,
    paper: "doi:10.1101/2023.07.21.23292757",
  },
  family: "hf_vit",
  arch: { ...PLAIN_VIT, width: 768, depth: 12, heads: 12, hidden: 3072, patch: 16, imageSize: 224, eps: 1e-12 },
  input: { size: 224, resize: 224, interpolation: "bilinear", ...IMAGENET, mpp: 0.5, tile: 224 },
  output: { pooling: "cls", dim: 768 },
  precision: { seal: "f32", trident: "f32" },
  lora: SEAL_RULE,
  parity: "phikon",
  notes: ["SEAL and HEST do not resize. SEAL's factory knows no Phikon v1."],
};
