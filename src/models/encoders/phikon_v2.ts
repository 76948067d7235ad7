/**
 * Phikon-v2: ViT-L/16, DINOv2 on 460 million tiles.
 *
 * @module
 */

import { type EncoderSpec, IMAGENET, PLAIN_VIT } from "../encoder_spec.ts";

/** Phikon-v2: ViT-L/16, DINOv2 on 460 million tiles. */
export const spec: EncoderSpec = {
  name: "phikon-v2",
  aliases: ["phikon2"],
  source: {
    repo: "owkin/phikon-v2",
    files: ["model.safetensors"],
    licence: "LicenseRef-Owkin-noncommercial",
    gated: false,
    paper: "arXiv:2409.09173",
  },
  family: "hf_dinov2",
  arch: { ...PLAIN_VIT, width: 1024, depth: 24, heads: 16, hidden: 4096, patch: 16, imageSize: 224, layerScale: true },
  input: { size: 224, resize: 224, interpolation: "bilinear", ...IMAGENET, mpp: 0.5, tile: 224 },
  output: { pooling: "cls", dim: 1024 },
  precision: { seal: "f32", trident: "f32" },
  lora: {
    seal: "phikon2",
    root: "model.",
    targets: ["mlp.fc1", "mlp.fc2"],
    blocks: 1,
    surprise: "Names on disk say `attention`, which does not contain `attn`: only the MLP is adapted",
  },
  parity: "phikon_v2",
  notes: ["SEAL and HEST do not resize."],
};
