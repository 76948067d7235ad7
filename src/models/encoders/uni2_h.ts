/**
 * UNI2-h: ViT-H/14 with SwiGLU and eight registers, DINOv2 on 200 million tiles.
 *
 * @module
 */

import { ALL_LINEARS, type EncoderSpec, IMAGENET, PLAIN_VIT } from "../encoder_spec.ts";

/** UNI2-h: ViT-H/14 with SwiGLU and eight registers, DINOv2 on 200 million tiles. */
export const spec: EncoderSpec = {
  name: "uni2-h",
  aliases: ["univ2", "uni_v2", "uni2"],
  source: {
    repo: "MahmoodLab/UNI2-h",
    files: ["pytorch_model.bin"],
    sha256: { "pytorch_model.bin": "6e077eda234bebc595868d918d3458d9dd32a050199b0ff04443b2f46a0a3b1e" },
    licence: "CC-BY-NC-ND-4.0",
    gated: true,
    paper: "doi:10.1038/s41591-024-02857-3",
  },
  family: "timm",
  arch: {
    ...PLAIN_VIT,
    width: 1536,
    depth: 24,
    heads: 24,
    hidden: 4096,
    patch: 14,
    imageSize: 224,
    mlp: "swiglu",
    registers: 8,
    prefixPositions: 0,
    layerScale: true,
  },
  input: { size: 224, resize: 224, interpolation: "bilinear", ...IMAGENET, mpp: 0.5, tile: 256 },
  output: { pooling: "cls", dim: 1536 },
  precision: { seal: "bf16", trident: "bf16" },
  lora: { seal: "univ2", root: "", targets: ALL_LINEARS, blocks: 3 },
  parity: "uni2h",
  notes: ["SEAL's published adapter is on the last 3 blocks; its default is 1."],
};
