/** A small SEAL model on images and expression that a formula makes: what `verify` and the tests of training share. */

import type { Gpu } from "../gpu/device.ts";
import { createEncoder } from "../models/encoder.ts";
import { randomEncoder } from "../models/random_encoder.ts";
import { fanInUniform, moduleRng } from "../nn/init.ts";
import { Parameters } from "../nn/parameters.ts";
import { AdamW } from "../optim/adamw.ts";
import { parameterGroups } from "../optim/param_groups.ts";
import { SEAL_CONFIG, type SealConfig } from "../methods/seal/config.ts";
import { createSealModel, type SealModel } from "../methods/seal/model.ts";
import { alignModel, type AlignOptions } from "../methods/seal/align.ts";
import type { RowInput } from "../train/row_input.ts";
import { Step } from "../train/step.ts";
import type { StepBatch, StepOptions } from "../train/step_model.ts";
import type { ViewImages } from "../train/trunk.ts";
import { visionPart } from "../train/trainable.ts";

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

/** Hashes u32 to u32 (the `lowbias32` constants). */
export function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Kinds of tissue: stripes of these directions. */
const DIRECTIONS = [[2, 0], [0, 2], [2, 2], [2, 30], [4, 2], [2, 4], [4, 30], [2, 28]] as const;
const TINT = [10, 7, 4] as const;

const seedOf = (pair: number) => mix(pair + 0x9e3779b9);
const kindOf = (pair: number) => Math.floor((seedOf(pair) >>> 16) * DIRECTIONS.length / 65536);

/** The patch of a pair, RGB bytes `[side, side, 3]`; views other than 0 turn its colours round. */
export function patch(pair: number, side: number, view = 0): Uint8Array {
  const s = seedOf(pair);
  const [a, b] = DIRECTIONS[kindOf(pair)]!;
  return Uint8Array.from({ length: side * side * 3 }, (_, at) => {
    const [k, x, y] = [at % 3, Math.floor(at / 3) % side, Math.floor(at / 3 / side)];
    const t = (a * x + b * y + (s & 7)) & 31;
    return 16 + (t < 16 ? t : 31 - t) * TINT[(k + view) % 3]! + (mix(s + at) & 63);
  });
}

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

/** Patches from the formula. */
export function formulaImages(side: number): ViewImages {
  return (views) => {
    const bytes = new Uint8Array(views.length * side * side * 3);
    views.forEach(({ pair, view }, i) => bytes.set(patch(pair, side, view), i * side * side * 3));
    return Promise.resolve(bytes);
  };
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

/** Numbers `from .. from + count`. */
export const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);

/** A model with its optimiser. */
export interface SealCase {
  readonly config: SealConfig;
  readonly model: SealModel;
  readonly optimizer: AdamW;
  /** Side of a patch, px. */
  readonly side: number;
  destroy(): void;
}

/** Builds the model a configuration asks for, as the command does. */
export function buildCase(gpu: Gpu, overrides: Overrides = {}, { genes = GENES, seed = 1 } = {}): SealCase {
  const given = Object.entries({ ...PLAIN, ...overrides });
  const { config } = SEAL_CONFIG.read([], given.map(([key, value]): [string, string] => [key, String(value)]));
  const { spec } = randomEncoder(config.input.encoder);
  const vision = visionPart(config, spec, (layer) => fanInUniform(moduleRng(config.optim.seed, `${layer}.lora_A`)!));
  let complete = false;
  const parameters = new Parameters(gpu, (name) => complete || vision.trains(name));
  const encoder = createEncoder(parameters, spec, { seed, lora: vision.lora });
  complete = true;
  const model = createSealModel(encoder, config, { genes, slides: 2 });
  parameters.allocate();
  const { weight_decay: weightDecay, clip_norm: clipNorm, beta1, beta2, eps } = config.optim;
  const optimizer = new AdamW(
    parameters,
    parameterGroups({ weightDecay, ...(vision.layers && { layers: vision.layers }) }),
    { beta1, beta2, eps, ...(clipNorm > 0 && { clipNorm }) },
  );
  return {
    config,
    model,
    optimizer,
    side: spec.input.size,
    destroy() {
      optimizer.destroy();
      parameters.destroy();
    },
  };
}
