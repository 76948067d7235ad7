/**
 * Prov-GigaPath's tile encoder: ViT-g/16 with SwiGLU, DINOv2 on 1.3 billion tiles.
 *
 * @module
 */

import { ALL_LINEARS, type EncoderSpec, IMAGENET, PLAIN_VIT } from "../encoder_spec.ts";

/** Prov-GigaPath's tile encoder: ViT-g/16 with SwiGLU, DINOv2 on 1.3 billion tiles. */
export const spec: EncoderSpec = {
  name: "gigapath",
  aliases: ["prov-gigapath"],
  source: {
    repo: "prov-gigapath/prov-gigapath",
    files: ["pytorch_model.bin"],
    licence: "Apache-2.0",
    gated: true,
    paper: "doi:10.1038/s41586-024-07441-w",
  },
  family: "timm",
  arch: {
    ...PLAIN_VIT,
    width: 1536,
    depth: 40,
    heads: 24,
    hidden: 4096,
    patch: 16,
    imageSize: 224,
    mlp: "swiglu",
    layerScale: true,
  },
  input: { size: 224, resize: 256, interpolation: "bicubic", ...IMAGENET, mpp: 0.5, tile: 256 },
  output: { pooling: "cls", dim: 1536 },
  precision: { seal: "f32", trident: "f16" },
  lora: { seal: "gigapath", root: "", targets: ALL_LINEARS, blocks: 1 },
  parity: "gigapath",
  notes: [
    "timm's name of the architecture says patch 14; the weights are patch 16.",
    "A tile of 224 px is magnified to 256 and loses its border.",
  ],
};
