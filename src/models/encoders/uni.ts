/**
 * UNI: ViT-L/16, DINOv2 on 100 million tiles.
 *
 * @module
 */

import { ALL_LINEARS, type EncoderSpec, IMAGENET, PLAIN_VIT } from "../encoder_spec.ts";

/** UNI: ViT-L/16, DINOv2 on 100 million tiles. */
export const spec: EncoderSpec = {
  name: "uni",
  aliases: ["uni_v1", "uni1"],
  source: {
    repo: "MahmoodLab/UNI",
    files: ["pytorch_model.bin"],
    licence: "CC-BY-NC-ND-4.0",
    gated: true,
    paper: "doi:10.1038/s41591-024-02857-3",
  },
  family: "timm",
  arch: { ...PLAIN_VIT, width: 1024, depth: 24, heads: 16, hidden: 4096, patch: 16, imageSize: 224, layerScale: true },
  input: { size: 224, resize: 224, interpolation: "bilinear", ...IMAGENET, mpp: 0.5, tile: 256 },
  output: { pooling: "cls", dim: 1024 },
  precision: { seal: "f16", trident: "f16" },
  lora: { seal: "uni", root: "", targets: ALL_LINEARS, blocks: 1 },
  parity: "uni",
};
