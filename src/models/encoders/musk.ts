/**
 * MUSK: BEiT3-L/16 with text.
 *
 * @module
 */

import { type EncoderSpec, HALF, PLAIN_VIT } from "../encoder_spec.ts";

/** MUSK: BEiT3-L/16 with text. */
export const spec: EncoderSpec = {
  name: "musk",
  aliases: [],
  refused: "its BEiT3 blocks have normalisations inside attention and MLP that this transformer does not have",
  source: {
    repo: "xiangjx/musk",
    files: ["model.safetensors"],
    licence: "CC-BY-NC-ND-4.0",
    gated: true,
    paper: "doi:10.1038/s41586-024-08378-w",
  },
  family: "beit3",
  arch: { ...PLAIN_VIT, width: 1024, depth: 24, heads: 16, hidden: 4096, patch: 16, imageSize: 384, eps: 1e-5 },
  input: { size: 384, resize: 384, interpolation: "bicubic", ...HALF, mpp: 0.5, tile: 384 },
  output: { pooling: "cls", dim: 1024 },
  precision: { seal: "f16", trident: "f16" },
  lora: {
    seal: "musk",
    root: "",
    targets: ["attn.qkv", "attn.proj"],
    blocks: "all",
    surprise: "SEAL's block pattern never matches: attention of every layer is adapted, the MLP (`ffn`) of none",
  },
  parity: "musk",
  notes: ["SEAL's own wrapper of it does not run: its forward reads attributes that are never set."],
};
