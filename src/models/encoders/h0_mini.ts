/**
 * H0-mini: ViT-B/14 with SwiGLU and four registers, distilled from H-optimus-0.
 *
 * @module
 */

import { ALL_LINEARS, type EncoderSpec, H_OPTIMUS, PLAIN_VIT } from "../encoder_spec.ts";

/** H0-mini: ViT-B/14 with SwiGLU and four registers, distilled from H-optimus-0. */
export const spec: EncoderSpec = {
  name: "h0-mini",
  aliases: ["h0mini"],
  source: {
    repo: "bioptimus/H0-mini",
    files: ["model.safetensors", "pytorch_model.bin"],
    licence: "LicenseRef-Bioptimus-H0-mini",
    gated: true,
    paper: "arXiv:2501.16239",
  },
  family: "timm",
  arch: {
    ...PLAIN_VIT,
    width: 768,
    depth: 12,
    heads: 12,
    hidden: 2048,
    patch: 14,
    imageSize: 224,
    mlp: "swiglu",
    registers: 4,
    prefixPositions: 0,
    layerScale: true,
  },
  input: { size: 224, resize: 224, interpolation: "bicubic", ...H_OPTIMUS, mpp: 0.5, tile: 224 },
  output: { pooling: "cls+mean", dim: 1536 },
  precision: { seal: "f32", trident: "f16" },
  lora: { seal: "h0mini", root: "model.", targets: ALL_LINEARS, blocks: 1 },
  parity: "h0mini",
  notes: ["TRIDENT returns the class token alone by default (768).", "Mean and std of its config.json win."],
};
