/**
 * H-optimus-1: ViT-g/14 with SwiGLU and four registers, DINOv2.
 *
 * @module
 */

import { ALL_LINEARS, type EncoderSpec, H_OPTIMUS, PLAIN_VIT } from "../encoder_spec.ts";

/** H-optimus-1: ViT-g/14 with SwiGLU and four registers, DINOv2. */
export const spec: EncoderSpec = {
  name: "h-optimus-1",
  aliases: ["hoptimus1"],
  source: {
    repo: "bioptimus/H-optimus-1",
    files: ["model.safetensors", "pytorch_model.bin"],
    licence: "LicenseRef-Bioptimus-H-optimus-1",
    gated: true,
    paper: "https://huggingface.co/bioptimus/H-optimus-1",
  },
  family: "timm",
  arch: {
    ...PLAIN_VIT,
    width: 1536,
    depth: 40,
    heads: 24,
    hidden: 4096,
    patch: 14,
    imageSize: 224,
    mlp: "swiglu",
    registers: 4,
    prefixPositions: 0,
    layerScale: true,
  },
  input: { size: 224, resize: 224, interpolation: "bilinear", ...H_OPTIMUS, mpp: 0.5, tile: 224 },
  output: { pooling: "cls", dim: 1536 },
  precision: { seal: "f16", trident: "f16" },
  lora: { seal: "hoptimus1", root: "", targets: ALL_LINEARS, blocks: 1 },
  parity: "hoptimus",
};
