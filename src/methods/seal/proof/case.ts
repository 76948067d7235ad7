/** A small SEAL model on images and expression that a formula makes: what `verify` and the tests of training share. */

import type { Dtype } from "../../../core/dtype.ts";
import type { Gpu } from "../../../gpu/device.ts";
import { createEncoder } from "../../../models/encoder.ts";
import { randomEncoder } from "../../../models/random_encoder.ts";
import { fanInUniform, moduleRng } from "../../../nn/init.ts";
import { Parameters } from "../../../nn/parameters.ts";
import type { AdamW } from "../../../optim/adamw.ts";
import { SEAL_CONFIG, type SealConfig } from "../config.ts";
import { createSealModel, type SealModel } from "../model.ts";
import { openOptimizer } from "../optimizer.ts";
import { alignModel, type AlignOptions } from "../align.ts";
import type { RowInput } from "../../../train/row_input.ts";
import { Step } from "../../../train/step.ts";
import type { StepBatch, StepOptions } from "../../../train/step_model.ts";
import { kindOf, mix, seedOf } from "../../../verify/formula.ts";
import { visionPart } from "../../../train/trainable.ts";

/** Values of configuration keys. */
export type Overrides = Readonly<Record<string, string | number | boolean>>;

/** Small sizes, nothing random. */
export const PLAIN: Overrides = {
  encoder: "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=32",
  hidden_dims: "[16, 8]",
  lora_dropout: 0,
  latent: "mean",
  seed: 7,
};

/** Genes, unless a test says otherwise. */
export const GENES = 12;

/** Expression of pairs `[n, genes]`: of the kind, with noise; multiples of 1/256, exact in f32. */
export function expression(pairs: readonly number[], genes = GENES): Float32Array {
  return Float32Array.from({ length: pairs.length * genes }, (_, at) => {
    const [pair, gene] = [pairs[Math.floor(at / genes)]!, at % genes];
    const level = mix(kindOf(pair) * 1009 + gene) & 511;
    return Math.max(0, level + (mix(seedOf(pair) + 7919 * gene) & 255) - 128) / 256;
  });
}

/** Deviations of genes, far from 0. */
export function deviations(genes = GENES): Float32Array {
  return Float32Array.from({ length: genes }, (_, gene) => (192 + (mix(gene + 77) & 127)) / 256);
}

/** The batch of these pairs. */
export function batchOf(pairs: readonly number[], genes = GENES): StepBatch {
  return {
    rows: pairs.map((pair) => ({ pair, view: 0 })),
    fields: { x: expression(pairs, genes), slide: Uint32Array.from(pairs, (pair) => pair % 2) },
  };
}

/** Compiles a step of the alignment for batches of {@linkcode batchOf}. */
export async function compileAlign(
  model: SealModel,
  rows: RowInput,
  optimizer: AdamW,
  { std, ...options }: StepOptions & Pick<AlignOptions, "std">,
): Promise<Step> {
  const { batch } = options;
  const step = alignModel(model, rows, { batch, std, slides: true, organ: (pair) => pair % 14 });
  return await Step.compile(step, optimizer, options);
}

/** A model with its optimiser. */
export interface SealCase {
  readonly config: SealConfig;
  readonly model: SealModel;
  readonly optimizer: AdamW;
  /** Side of a patch, px. */
  readonly side: number;
  destroy(): void;
}

/** Builds the model of small sizes that a configuration asks for. */
export function buildCase(gpu: Gpu, overrides: Overrides = {}, sizes: CaseSizes = {}): SealCase {
  const given = Object.entries({ ...PLAIN, ...overrides });
  return openCase(gpu, given.map(([key, value]) => [key, String(value)]), sizes);
}

/** What a configuration does not say of a model. */
export interface CaseSizes {
  readonly genes?: number;
  /** Of the random start. */
  readonly seed?: number;
  /** Storage of frozen weights; with f16 that of activations too, where the device computes with it. */
  readonly dtype?: Dtype;
}

/** Builds the model a configuration asks for, as the command does. */
export function openCase(
  gpu: Gpu,
  keys: readonly (readonly [string, string])[],
  { genes = GENES, seed = 1, dtype = "f32" }: CaseSizes = {},
): SealCase {
  const { config } = SEAL_CONFIG.read([], keys.map(([key, value]): [string, string] => [key, value]));
  const { spec } = randomEncoder(config.input.encoder);
  const vision = visionPart(config, spec, (layer) => fanInUniform(moduleRng(config.optim.seed, `${layer}.lora_A`)!));
  let complete = false;
  const parameters = new Parameters(gpu, (name) => complete || vision.trains(name));
  const encoder = createEncoder(parameters, spec, { seed, lora: vision.lora, dtype });
  complete = true;
  const model = createSealModel(encoder, config, { genes, slides: 2 });
  parameters.allocate();
  const { optimizer, destroy } = openOptimizer(model, vision, config);
  return {
    config,
    model,
    optimizer,
    side: spec.input.size,
    destroy() {
      destroy();
      parameters.destroy();
    },
  };
}
