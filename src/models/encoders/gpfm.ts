/**
 * GPFM: ViT-L/14, distilled from several encoders.
 *
 * @module
 */

import { type EncoderSpec, IMAGENET, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** GPFM: ViT-L/14, distilled from several encoders. */
export const spec: EncoderSpec = {
  name: "gpfm",
  aliases: [],
  source: {
    repo: "majiabo/GPFM",
    files: ["GPFM.pth"],
    licence: "CC-BY-NC-ND-4.0",
    gated: false,
    paper: "arXiv:2407.18449",
  },
  family: "timm",
  arch: { ...PLAIN_VIT, width: 1024, depth: 24, heads: 16, hidden: 4096, patch: 14, imageSize: 224, layerScale: true },
  input: { size: 224, resize: 224, squash: true, interpolation: "bicubic", ...IMAGENET, mpp: 0.5, tile: 224 },
  output: { pooling: "cls", dim: 1024 },
  precision: { trident: "f16" },
  lora: SEAL_RULE,
  parity: "gpfm",
  notes: [
    "The file released on GitHub is a DINOv2 training checkpoint and loads as well.",
    "The card on Hugging Face said MIT, the repository CC-BY-NC-ND-4.0.",
  ],
};
