/**
 * CONCH v1.5: ViT-L/16 with attentional pooling, TITAN's tile encoder.
 *
 * @module
 */

import { ALL_LINEARS, type EncoderSpec, IMAGENET, PLAIN_VIT } from "../encoder_spec.ts";

/** CONCH v1.5: ViT-L/16 with attentional pooling, TITAN's tile encoder. */
export const spec: EncoderSpec = {
  name: "conch_v15",
  aliases: ["conchv1_5", "conch_v1_5", "conch1.5"],
  source: {
    repo: "MahmoodLab/conchv1_5",
    files: ["pytorch_model_vision.bin"],
    licence: "CC-BY-NC-ND-4.0",
    gated: true,
    paper: "arXiv:2411.19666",
  },
  family: "conch_v15",
  arch: { ...PLAIN_VIT, width: 1024, depth: 24, heads: 16, hidden: 4096, patch: 16, imageSize: 224, layerScale: true },
  positions: { filter: "bicubic", antialias: false, offset: 0.1, firstGrid: 14 },
  input: { size: 448, resize: 448, interpolation: "bilinear", ...IMAGENET, mpp: 0.5, tile: 512 },
  output: { pooling: "attn_pool", dim: 768, pooler: { width: 768, heads: 8, bias: false, eps: 1e-5 } },
  precision: { trident: "f16" },
  lora: { root: "trunk.", targets: ALL_LINEARS, blocks: 1 },
  parity: "conch_v15",
  notes: [
    "Whether the file has 197 or 785 position rows is unknown; either is brought to 14 x 14 and then to 28 x 28, as the original does.",
  ],
};
