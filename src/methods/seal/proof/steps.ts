/**
 * SEAL's alignment from weights and data that formulas make, beside the losses PyTorch has of it in f64: dropout masks, noise,
 * gradients, clipping and the optimiser are all in them.
 *
 * Source: `tests/python/seal_train.py`, which wrote `losses.json`.
 *
 * @module
 */

import type { Dtype } from "../../../core/dtype.ts";
import type { Gpu } from "../../../gpu/device.ts";
import { stageRates } from "../rates.ts";
import { pixelInput } from "../../../train/row_input.ts";
import { batchOf, buildCase, compileAlign, deviations, type Overrides, type SealCase } from "./case.ts";
import { formulaImages, range } from "../../../verify/formula.ts";
import { startOf } from "../../../verify/start.ts";
import type { KnownSteps } from "../../../verify/proof.ts";
import record from "./losses.json" with { type: "json" };

/** Sizes, losses of each step by name, and gradient norms, as PyTorch has them. */
export const SEAL_RECORD: {
  readonly sizes: { readonly genes: number; readonly batch: number; readonly pairs: number; readonly steps: number };
  readonly gradNorms: readonly number[];
  readonly losses: Readonly<Record<string, readonly number[]>>;
} = record;

/** The model at its start. @param overrides Keys that differ. @param dtype Storage of frozen weights. */
export function buildSealSteps(gpu: Gpu, overrides: Overrides = {}, dtype: Dtype = "f32"): SealCase {
  const seal = buildCase(gpu, {
    encoder: "random:vit_small_patch16_224?dim=48&depth=2&heads=3&img=64",
    hidden_dims: "[32, 16]",
    latent: "sample",
    kl_loss: true,
    kl_form: "exact",
    r: 4,
    lora_alpha: 8,
    lora_dropout: 0.15,
    vae_dropout: 0.1,
    dec_dropout: 0.1,
    img_lr: 3e-3,
    gene_lr: 1e-3,
    head_lr: 2e-3,
    lr_warmup_steps: 5,
    clip_norm: 5,
    seed: 7,
    ...overrides,
  }, { genes: record.sizes.genes, dtype });
  const { parameters } = seal.model;
  const names = new Set(parameters.entries().map(([name]) => name));
  parameters.load(
    new Map(
      parameters.entries().map(([name, { shape }]) => [name, { shape, data: startOf(record.weightSeed, name, shape) }]),
    ),
    (name) => names.has(name),
  );
  return seal;
}

/** Pairs of a step. */
export function pairsOf(step: number): number[] {
  const { batch, pairs } = record.sizes;
  return range(batch).map((i) => (i + step * batch) % pairs);
}

/** Trains the first steps. */
export async function runSealSteps(gpu: Gpu, steps: number): Promise<KnownSteps> {
  const { genes, batch, steps: all } = record.sizes;
  const seal = buildSealSteps(gpu);
  const { config, model, optimizer, side } = seal;
  const vision = pixelInput(model.encoder, formulaImages(side), side);
  const step = await compileAlign(model, vision, optimizer, { batch, seed: 7, std: deviations(genes) });
  try {
    const rates = stageRates(config, "align", all);
    for (let t = 0; t < steps; t++) await step.submit(rates(t), () => batchOf(pairsOf(t), genes));
    const rows = await step.readMetrics();
    let [error, worst] = [0, ""];
    for (const [name, wanted] of Object.entries(SEAL_RECORD.losses)) {
      rows.forEach((row, t) => {
        const off = Math.abs(row[name]! - wanted[t]!) / Math.abs(wanted[t]!);
        if (off <= error) return;
        error = Number.isNaN(off) ? Infinity : off;
        worst = `${name} of step ${t}`;
      });
    }
    const last = rows.at(-1) ?? {};
    const bits = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]!.toString(16).padStart(8, "0");
    return {
      steps,
      error,
      worst,
      last: Object.fromEntries(Object.keys(SEAL_RECORD.losses).map((name) => [name, bits(last[name] ?? NaN)])),
    };
  } finally {
    step.destroy();
    seal.destroy();
  }
}
