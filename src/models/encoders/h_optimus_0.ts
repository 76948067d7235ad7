/**
 * H-optimus-0: ViT-g/14 with SwiGLU and four registers, DINOv2.
 *
 * @module
 */

import { type EncoderSpec, H_OPTIMUS, PLAIN_VIT, SEAL_RULE } from "../encoder_spec.ts";

/** H-optimus-0: ViT-g/14 with SwiGLU and four registers, DINOv2. */
export const spec: EncoderSpec = {
  name: "h-optimus-0",
  aliases: ["hoptimus0"],
  source: {
    repo: "bioptimus/H-optimus-0",
    files: ["pytorch_model.bin", "model.safetensors"],
    licence: "Apache-2.0",
    gated: true,
    paper: "https://github.com/bioptimus/releases",
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
  precision: { trident: "f16" },
  lora: SEAL_RULE,
  parity: "hoptimus",
  notes: [
    "Whether a model.safetensors exists depends on the revision.",
    "SEAL feeds 224 px tiles without resizing, in float16.",
  ],
};
