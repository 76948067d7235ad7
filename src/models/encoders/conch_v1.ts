/**
 * CONCH: ViT-B/16 with attentional pooling, image tower of a captioning model.
 *
 * @module
 */

import { ALL_LINEARS, type EncoderSpec, OPENAI_CLIP, PLAIN_VIT, SEAL_CONCH } from "../encoder_spec.ts";

/** CONCH: ViT-B/16 with attentional pooling, image tower of a captioning model. */
export const spec: EncoderSpec = {
  name: "conch_v1",
  aliases: ["conch", "conch1"],
  source: {
    repo: "MahmoodLab/CONCH",
    files: ["pytorch_model.bin"],
    sha256: { "pytorch_model.bin": "40a9644b9ba0e83a74576e0a5e5f7313599fa9c9cdaf3c20f8a3e271b0e9ae7c" },
    licence: "CC-BY-NC-ND-4.0",
    gated: true,
    paper: "doi:10.1038/s41591-024-02856-4",
  },
  family: "conch",
  arch: { ...PLAIN_VIT, width: 768, depth: 12, heads: 12, hidden: 3072, patch: 16, imageSize: 448 },
  positions: { filter: "bicubic", antialias: true, firstGrid: 28 },
  input: { size: 448, resize: 448, interpolation: "bicubic", ...OPENAI_CLIP, mpp: 0.5, tile: 512 },
  output: { pooling: "attn_pool", dim: 512, pooler: { width: 512, heads: 8, bias: true, eps: 1e-5 } },
  precision: { seal: "f32", trident: "f32" },
  lora: { ...SEAL_CONCH, root: "trunk.", targets: ALL_LINEARS, blocks: 1 },
  parity: "conch_v1",
  notes: [
    "SEAL feeds tiles of 224 px: positions go from 28 to 14 rows and columns. Adapters of SEAL bring this size with them.",
    "The embedding is taken before `proj_contrast` and is not normalised.",
  ],
};
