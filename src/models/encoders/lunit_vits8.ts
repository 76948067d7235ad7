/**
 * Lunit ViT-S/8, DINO on TCGA and more.
 *
 * @module
 */

import { type EncoderSpec, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** Lunit ViT-S/8, DINO on TCGA and more. */
export const spec: EncoderSpec = {
  name: "lunit-vits8",
  aliases: ["lunit", "lunit-s8"],
  source: {
    repo: "1aurent/vit_small_patch8_224.lunit_dino",
    files: ["model.safetensors"],
    licence: "LicenseRef-Lunit-research",
    gated: false,
    paper: "arXiv:2212.04690",
  },
  family: "timm",
  arch: { ...PLAIN_VIT, width: 384, depth: 12, heads: 6, hidden: 1536, patch: 8, imageSize: 224 },
  input: {
    size: 224,
    resize: 248,
    cropPct: 0.9,
    interpolation: "bicubic",
    mean: [0.70322989, 0.53606487, 0.66096631],
    std: [0.21716536, 0.26081574, 0.20723464],
    mpp: 0.5,
    tile: 224,
  },
  output: { pooling: "cls", dim: 384 },
  precision: { trident: "f32" },
  lora: SEAL_RULE,
  parity: "lunit",
  notes: ["Interpolation is timm's default; config.json wins."],
};
