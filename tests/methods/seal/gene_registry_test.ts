/** The registry of gene models: its keys are those of the configuration, and files tell their models. */

import assert from "node:assert/strict";
import type { Keys } from "../../../src/core/config_key.ts";
import {
  createGeneModel,
  GENE_MODEL_NAMES,
  GENE_MODELS,
  type GeneModelConfig,
  geneModelConfig,
  geneModelEntry,
} from "../../../src/models/gene_registry.ts";
import { describeOmics } from "../../../src/models/omics_file.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { SEAL_CONFIG } from "../../../src/methods/seal/config.ts";
import { openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const SIZE = { genes: 9, dim: 8 };

/** Names and shapes of a model that is never given memory. */
function shapesOf(config: GeneModelConfig): Map<string, { shape: readonly number[] }> {
  const parameters = new Parameters(gpu);
  createGeneModel(parameters, config);
  return new Map(parameters.state().map(([name, { shape }]) => [name, { shape }]));
}

Deno.test("choices and keys of the configuration are those of the gene models, in the order files have had", () => {
  const { gene_model } = SEAL_CONFIG.table.gene;
  assert.deepEqual([gene_model.of, Object.keys(GENE_MODELS)], [GENE_MODEL_NAMES, [...GENE_MODEL_NAMES]]);
  const keys: Keys = SEAL_CONFIG.table.gene;
  for (const name of GENE_MODEL_NAMES) {
    for (const [key, row] of Object.entries(geneModelEntry(name).keys as Keys)) assert.equal(keys[key], row, key);
  }
  assert.deepEqual(Object.keys(SEAL_CONFIG.read().config.gene).slice(0, 13), [
    ...["gene_model", "hidden_dims", "latent", "latent_samples", "kl_loss", "kl_form", "mask_ratio", "vae_dropout"],
    ...["dec_dropout", "dec_batch_norm", "vae_flows", "flow_constraint", "gene_embeddings"],
  ]);
});

for (const gene_model of GENE_MODEL_NAMES) {
  Deno.test(`the file of ${gene_model} tells its model and sizes`, () => {
    const values = {
      ...SEAL_CONFIG.read().config.gene,
      gene_model,
      hidden_dims: [7, 6],
      dec_batch_norm: true,
      vae_flows: 2,
    };
    const shapes = shapesOf(geneModelConfig(values, SIZE));
    const { file } = geneModelEntry(gene_model);
    const { config } = describeOmics(shapes, "omics", { genes: SIZE.genes });
    // The masked autoencoder's parameters are the perceptron's.
    assert.equal(config.name, file ? gene_model : "mlp");
    assert.deepEqual(shapesOf(config), shapes);
    const markers = GENE_MODEL_NAMES.flatMap((name) => geneModelEntry(name).file?.marker ?? []);
    assert.equal(markers.filter((marker) => shapes.has(marker)).length, 1);
  });
}
