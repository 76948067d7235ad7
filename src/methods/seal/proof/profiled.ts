/**
 * A step of SEAL's alignment as training runs it, from pixels, on images and expression that formulas make.
 *
 * @module
 */

import type { Gpu } from "../../../gpu/device.ts";
import { pixelInput } from "../../../train/row_input.ts";
import { formulaImages, range } from "../../../verify/formula.ts";
import type { BuiltStep, StepRequest } from "../../../verify/proof.ts";
import { stageRates } from "../rates.ts";
import { batchOf, compileAlign, deviations, openCase } from "./case.ts";

/** Builds the step and runs it once. */
export async function buildProfiledStep(gpu: Gpu, request: StepRequest): Promise<BuiltStep> {
  const { encoder, batch, micro, genes, dtype, keys } = request;
  const given = [["encoder", encoder], ["batch_size", String(batch)], ...keys] as const;
  const seal = openCase(gpu, given as readonly (readonly [string, string])[], { genes, dtype });
  try {
    const { config, model, optimizer, side } = seal;
    const rows = pixelInput(model.encoder, formulaImages(side), side);
    const step = await compileAlign(model, rows, optimizer, { batch, micro, std: deviations(genes), ring: 1 });
    await step.submit(stageRates(config, "align", 1)(0), () => batchOf(range(batch), genes));
    return { sequence: step.sequence, destroy: () => (step.destroy(), seal.destroy()) };
  } catch (error) {
    seal.destroy();
    throw error;
  }
}
