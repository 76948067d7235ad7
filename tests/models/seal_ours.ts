/** The modules of tests/python/seal_files.py in this engine, by the name of their file. */

import type { Gpu } from "../../src/gpu/device.ts";
import { pthChunks } from "../../src/io/torch/pth_write.ts";
import type { SafetensorsInput } from "../../src/io/torch/safetensors.ts";
import { createBottleneckAdapter } from "../../src/models/bottleneck_adapter.ts";
import type { EncoderSpec } from "../../src/models/encoder_spec.ts";
import { omicsTensors } from "../../src/models/omics_file.ts";
import { createGeneModel, type GeneModelConfig } from "../../src/models/gene_registry.ts";
import { createImageDecoder } from "../../src/models/image_decoder.ts";
import { createOrganToken } from "../../src/models/organ_token.ts";
import { createProjectionHead, type HeadKind } from "../../src/models/projection_head.ts";
import { visionTensors } from "../../src/models/vision_file.ts";
import { createVit } from "../../src/models/vit.ts";
import { Parameters } from "../../src/nn/parameters.ts";

/** A gene model and its head. */
export interface Omics {
  readonly kind: "omics";
  readonly config: GeneModelConfig;
  readonly head: HeadKind;
}

/** Adapted blocks of an encoder of three, and heads. */
export interface Vision {
  readonly kind: "vision";
  readonly spec: Pick<EncoderSpec, "family" | "arch" | "lora">;
  readonly blocks: readonly number[];
  readonly head: HeadKind;
  readonly decoder?: { batchNorm?: boolean };
  readonly bottleneck?: number;
  readonly organ?: boolean;
}

const VAE = { name: "vae", genes: 11, dim: 8, hidden: [7, 6] } as const;
const SIZES = { width: 8, depth: 3, heads: 2, hidden: 16, mlp: "gelu", patch: 8 } as const;
const ARCH: EncoderSpec["arch"] = {
  ...SIZES,
  imageSize: 16,
  registers: 0,
  prefixPositions: 1,
  layerScale: false,
  qkvBias: true,
  eps: 1e-6,
};
const TARGETS = ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"] as const;

function spec(family: EncoderSpec["family"], root: string): Vision["spec"] {
  return { family, arch: ARCH, lora: { root, targets: TARGETS, blocks: 1 } };
}

/** What each file holds. */
export const OURS: Readonly<Record<string, Omics | Vision>> = {
  omics: { kind: "omics", config: VAE, head: "linear" },
  omics_norm: {
    kind: "omics",
    config: { ...VAE, hidden: [9], flows: 2, decoderBatchNorm: true },
    head: "mlp",
  },
  omics_deep_head: { kind: "omics", config: VAE, head: "mlp2" },
  omics_mlp: { kind: "omics", config: { ...VAE, name: "mlp" }, head: "none" },
  omics_transformer: {
    kind: "omics",
    config: { name: "transformer", genes: 11, dim: 8, width: 16, layers: 2, hidden: 12, decoderHidden: 7 },
    head: "none",
  },
  omics_identity: { kind: "omics", config: { name: "identity", genes: 11 }, head: "none" },
  vision: { kind: "vision", spec: spec("timm", ""), blocks: [1, 2], head: "mlp", decoder: {} },
  vision_everything: {
    kind: "vision",
    spec: spec("timm", "model."),
    blocks: [2],
    head: "linear",
    decoder: { batchNorm: true },
    bottleneck: 3,
    organ: true,
  },
  vision_conch: { kind: "vision", spec: spec("conch", "trunk."), blocks: [2], head: "mlp2" },
  vision_hf: { kind: "vision", spec: spec("hf_dinov2", "model."), blocks: [2], head: "none", decoder: {} },
};

/** Before the names of gene models and heads in memory. */
export const PREFIX = "side.";

/** The parameters of a file, with seeded values in memory. */
export function buildOurs(gpu: Gpu, name: string): Parameters {
  const ours = OURS[name]!;
  const parameters = new Parameters(gpu);
  const options = { prefix: PREFIX, seed: 5 };
  if (ours.kind === "omics") {
    createGeneModel(parameters, ours.config, options);
    createProjectionHead(parameters, { kind: ours.head, dim: 8 }, options);
  } else {
    const { root } = ours.spec.lora;
    const prefix = root === "trunk." ? root : "";
    const adapted = ours.blocks.flatMap((block) => TARGETS.map((target) => `${prefix}blocks.${block}.${target}`));
    const sizes = { ...SIZES, imageSize: 16, mean: [0, 0, 0], std: [1, 1, 1] } as const;
    createVit(parameters, sizes, {
      prefix,
      seed: 5,
      lora: (layer) => (adapted.includes(layer) ? { rank: 2, alpha: 2 } : undefined),
    });
    createProjectionHead(parameters, { kind: ours.head, dim: 8 }, options);
    if (ours.decoder) createImageDecoder(parameters, { dim: 8, genes: 11, hidden: 6, ...ours.decoder }, options);
    if (ours.bottleneck) createBottleneckAdapter(parameters, { dim: 8, bottleneck: ours.bottleneck }, options);
    if (ours.organ) createOrganToken(parameters, { dim: 8 }, options);
  }
  parameters.allocate();
  return parameters;
}

/** Tensors of a file. */
export function oursTensors(
  parameters: Parameters,
  name: string,
  options: { wrapped?: boolean } = {},
): Promise<Map<string, SafetensorsInput>> {
  const ours = OURS[name]!;
  return ours.kind === "omics"
    ? omicsTensors(parameters, { prefix: PREFIX, ...options })
    : visionTensors(parameters, { spec: ours.spec, prefix: PREFIX, ...options });
}

/** Bytes of a file. */
export async function oursFile(gpu: Gpu, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const parameters = buildOurs(gpu, name);
  const chunks = [...pthChunks(await oursTensors(parameters, name), "state_dict")];
  parameters.destroy();
  return new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}
