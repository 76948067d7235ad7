/**
 * ViT-L/16 of ImageNet-21k: the baseline that has seen no tissue.
 *
 * @module
 */

import { type EncoderSpec, HALF, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** ViT-L/16 of ImageNet-21k: the baseline that has seen no tissue. */
export const spec: EncoderSpec = {
  name: "vit-l16",
  aliases: ["vit_large_patch16_224"],
  natural: true,
  source: {
    repo: "timm/vit_large_patch16_224.augreg_in21k",
    files: ["model.safetensors", "pytorch_model.bin"],
    licence: "Apache-2.0",
    gated: false,
    paper: "arXiv:2106.10270",
  },
  family: "timm",
  arch: { ...PLAIN_VIT, width: 1024, depth: 24, heads: 16, hidden: 4096, patch: 16, imageSize: 224 },
  input: { size: 224, resize: 248, cropPct: 0.9, interpolation: "bicubic", ...HALF, mpp: 0.5, tile: 224 },
  output: { pooling: "cls", dim: 1024 },
  precision: {},
  lora: SEAL_RULE,
  parity: "vit_small",
};
