/** Steps of SEAL with activations and frozen weights in f16, beside PyTorch's losses, which are those of f32 within 1e-4. */

import type { Gpu } from "../../../src/gpu/device.ts";
import { batchOf, compileAlign, deviations } from "../../../src/methods/seal/proof/case.ts";
import { buildSealSteps, pairsOf, SEAL_RECORD } from "../../../src/methods/seal/proof/steps.ts";
import { stageRates } from "../../../src/methods/seal/rates.ts";
import { pixelInput } from "../../../src/train/row_input.ts";
import { formulaImages } from "../../../src/verify/formula.ts";

/** Trains all steps of the record. @returns The largest relative difference of a loss. */
export async function halfSteps(gpu: Gpu): Promise<{ steps: number; worst: number }> {
  const { genes, batch, steps } = SEAL_RECORD.sizes;
  const seal = buildSealSteps(gpu, {}, "f16");
  const { config, model, optimizer, side } = seal;
  const vision = pixelInput(model.encoder, formulaImages(side), side);
  const step = await compileAlign(model, vision, optimizer, { batch, seed: 7, std: deviations(genes) });
  try {
    const rates = stageRates(config, "align", steps);
    for (let t = 0; t < steps; t++) await step.submit(rates(t), () => batchOf(pairsOf(t), genes));
    const rows = await step.readMetrics();
    const off = rows.map((row, t) => Math.abs(row["loss"]! / SEAL_RECORD.losses["loss"]![t]! - 1));
    return { steps: rows.length, worst: off.some(Number.isNaN) ? Infinity : Math.max(...off) };
  } finally {
    step.destroy();
    seal.destroy();
  }
}
