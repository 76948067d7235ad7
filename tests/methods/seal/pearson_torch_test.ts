/** The recipe of correlation next to PyTorch: centred batches of one sample, pcc_genes beside contrast, a running mean; 30 steps. */

import assert from "node:assert/strict";
import { readSafetensorsF32 } from "../../../src/io/torch/safetensors.ts";
import { batchOf, compileAlign, deviations } from "../../../src/methods/seal/proof/case.ts";
import { buildSealSteps, pairsOf, SEAL_RECORD } from "../../../src/methods/seal/proof/steps.ts";
import { stageRates } from "../../../src/methods/seal/rates.ts";
import { expressionOf } from "../../../src/methods/seal/session.ts";
import { pixelInput } from "../../../src/train/row_input.ts";
import { formulaImages, range } from "../../../src/verify/formula.ts";
import record from "../../fixtures/losses_pearson.json" with { type: "json" };
import { kernelPaths, openGpu } from "../../gpu/shared.ts";
import { distance } from "../../models/distance.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());
const { steps } = record.sizes;
// Weights, batches and sizes are those of the other record.
const { genes, batch, pairs } = SEAL_RECORD.sizes;
const file = "seal_train_pearson.safetensors";
const torch = readSafetensorsF32(Deno.readFileSync(new URL(`../../fixtures/${file}`, import.meta.url)), file).tensors;

/** Three samples of as many pairs as a batch, centred by what trains with `gene_centre`. */
function centred() {
  const x = batchOf(range(pairs), genes).fields!.x as Float32Array<ArrayBuffer>;
  const count = pairs / 3;
  const samples = range(3).map((i) => ({ first: i * count, count }));
  const rows = (from: number, to: number) => x.slice(from * genes, to * genes);
  return expressionOf({
    samples: samples as never,
    genes,
    matrix: (sample) => rows(sample * count, (sample + 1) * count),
    gather: (chosen) => Float32Array.from(Array.from(chosen).flatMap((pair) => [...rows(pair, pair + 1)])),
    locate: (pair) => ({ sample: Math.floor(pair / count), row: pair % count }),
  }, true);
}

for (const { path, on } of kernelPaths(gpu)) {
  Deno.test(`30 steps of pcc_genes beside contrast, centred, with a running mean, follow PyTorch, ${path}`, async () => {
    const seal = buildSealSteps(on, {
      gene_centre: true,
      gene_loss: "pcc_genes",
      lambda_contrast: 0.2,
      lambda_recon_img: 2,
      ema: 0.8,
    });
    const { config, model, optimizer, side } = seal;
    const { parameters } = model;
    optimizer.startMean();
    const vision = pixelInput(model.encoder, formulaImages(side), side);
    const step = await compileAlign(model, vision, optimizer, { batch, seed: 7, std: deviations(genes) });
    const rates = stageRates(config, "align", steps);
    const expression = centred();
    for (let t = 0; t < steps; t++) {
      const chosen = pairsOf(t);
      const { rows, fields } = batchOf(chosen, genes);
      await step.submit(rates(t), () => ({ rows: rows!, fields: { ...fields, x: expression(chosen) } }));
    }
    const rows = await step.readMetrics();
    assert.equal(rows.length, steps);
    for (const [name, wanted] of Object.entries(record.losses)) {
      rows.forEach((row, t) => {
        const error = Math.abs(row[name]! - wanted[t]!) / Math.abs(wanted[t]!);
        assert.ok(error < 1e-4, `${name} of step ${t} is ${row[name]}, PyTorch has ${wanted[t]}`);
      });
    }
    const names = [...torch.keys()].filter((name) => !name.startsWith("ema."));
    assert.equal(names.length, 8);
    const compare = async (prefix: string) => {
      for (const [name, data] of await parameters.read(names)) {
        const { cosine } = distance(data, torch.get(prefix + name)!.data, 1);
        assert.ok(cosine >= 0.9999, `${prefix}${name} has cosine ${cosine} with PyTorch's`);
      }
    };
    await compare("");
    optimizer.swapMean();
    await compare("ema.");
    optimizer.swapMean();
    await compare("");
    // The mean is another than the weights, so that the comparison can fail.
    const [one] = names;
    assert.ok(distance(torch.get(one!)!.data, torch.get(`ema.${one}`)!.data, 1).relative > 1e-3);
    step.destroy();
    seal.destroy();
  });
}
