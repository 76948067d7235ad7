/** Small modules beside the encoder: what PyTorch's numbers in gene_models_test do not say. */

import assert from "node:assert/strict";
import { ConfigError, ShapeError } from "../../src/core/errors.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import { createBottleneckAdapter } from "../../src/models/bottleneck_adapter.ts";
import { createDiscriminator, reversalStrength } from "../../src/models/discriminator.ts";
import { createGeneDecoder } from "../../src/models/gene_decoder.ts";
import { createGeneModel, GENE_MODEL_NAMES, type GeneModelConfig } from "../../src/models/gene_registry.ts";
import { createOrganToken, organId, ORGANS } from "../../src/models/organ_token.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { openGpu } from "../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

Deno.test("organs have the published numbers", () => {
  const published = "Bladder 0, Bowel 1, Brain 2, Breast 3, Cervix 4, Heart 5, Kidney 6, Liver 7, Lung 8, Ovary 9, " +
    "Pancreas 10, Prostate 11, Skin 12, Uterus 13";
  assert.equal(ORGANS.map((organ, i) => `${organ} ${i}`).join(", "), published);
  assert.deepEqual([organId("Breast"), organId(" skin "), organId("UTERUS")], [3, 12, 13]);
  assert.throws(() => organId("Brest"), (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /Cannot use organ "Brest"/);
    assert.match(error.hint ?? "", /Breast/);
    return true;
  });
});

Deno.test("an organ that is none of the fourteen shows as NaN in its row alone", async () => {
  const parameters = new Parameters(gpu);
  const organs = createOrganToken(parameters, { dim: 2 }, { seed: 1 });
  parameters.allocate();
  const store = new Store(gpu);
  const z = store.from("z", "z", [2, 2], [1, 2, 3, 4]);
  const g = new Plan(gpu);
  const y = organs.forward(g, z, store.from("ids", "ids", [2], [14, 0], "u32"));
  g.output(y);
  const program = await g.compile();
  program.run();
  const [values] = await readback(gpu, y);
  assert.deepEqual([...values!].map(Number.isNaN), [true, true, false, false]);
  program.destroy();
  store.destroy();
  parameters.destroy();
});

Deno.test("the reversal grows from nothing to nearly one", () => {
  assert.deepEqual([0, 0.5, 1].map((p) => reversalStrength(p).toFixed(6)), ["0.000000", "0.986614", "0.999909"]);
  for (const p of [-0.1, 1.1, NaN]) assert.throws(() => reversalStrength(p), ConfigError);
});

Deno.test("small modules refuse what makes no sense", () => {
  const fresh = () => new Parameters(gpu);
  const refusals: [() => unknown, RegExp][] = [
    [() => createDiscriminator(fresh(), { dim: 4, classes: 1 }), /1 class, wanted 2/],
    [() => createDiscriminator(fresh(), { dim: 4, classes: 2, layers: 0 }), /layers is 0/],
    [() => createBottleneckAdapter(fresh(), { dim: 4, bottleneck: 0 }), /bottleneck is 0/],
    [() => createBottleneckAdapter(fresh(), { dim: 4, mode: "thrice" as "twice" }), /mode is thrice/],
    [() => createOrganToken(fresh(), { dim: -1 }), /dim is -1/],
    [() => createGeneDecoder(fresh(), "d", { kind: "cnn" as "mlp", dim: 4, genes: 3 }, undefined), /"cnn"/],
    [
      () => createGeneDecoder(fresh(), "d", { kind: "transformer", dim: 4, genes: 3, heads: 3 }, undefined),
      /dim \/ heads/,
    ],
    [() => createGeneModel(fresh(), { name: "identity", genes: 5, dim: 4 }), /dim is 4, wanted 5/],
    [() => createGeneModel(fresh(), { name: "mlp", genes: 5, dim: 4, hidden: [0] }), /hidden\[0\] is 0/],
    [() => createGeneModel(fresh(), { name: "mae", genes: 5, dim: 4, maskRatio: 1 }), /maskRatio is 1/],
    [() => createGeneModel(fresh(), { name: "transformer", genes: 5, dim: 4, heads: 7 }), /width \/ heads/],
    [() => createGeneModel(fresh(), { name: "scgpt" } as unknown as GeneModelConfig), /"scgpt": no such model/],
  ];
  for (const [run, message] of refusals) {
    assert.throws(run, (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, message);
      return true;
    });
  }
  const decoder = createGeneDecoder(fresh(), "d", { dim: 4, genes: 3 }, undefined);
  const store = new Store(gpu);
  for (const shape of [[4], [2, 5], [2, 2, 2, 4]]) {
    assert.throws(() => decoder.forward(new Plan(gpu), store.tensor("z", "z", shape), false), ShapeError);
  }
});

Deno.test("every gene model can be built by name, and all of them take a prefix", () => {
  for (const name of GENE_MODEL_NAMES) {
    const parameters = new Parameters(gpu);
    const model = createGeneModel(
      parameters,
      { name, genes: 16, ...(name !== "identity" && { dim: 8 }) } as GeneModelConfig,
      { prefix: "gene.", seed: 1 },
    );
    assert.deepEqual([model.name, model.genes, model.dim], [name, 16, name === "identity" ? 16 : 8]);
    assert.ok(parameters.state().every(([key]) => key.startsWith("gene.")));
    parameters.allocate();
    parameters.destroy();
  }
});

Deno.test("the layers of a gene transformer start alike, and nothing else does", async () => {
  const parameters = new Parameters(gpu);
  createGeneModel(parameters, { name: "transformer", genes: 16, dim: 8, layers: 2 }, { seed: 1 });
  parameters.allocate();
  const values = await parameters.read();
  const layers = [...values.keys()].filter((name) => name.startsWith("transformer_encoder.layers.0."));
  assert.equal(layers.length, 12);
  for (const name of layers) assert.deepEqual(values.get(name), values.get(name.replace(".0.", ".1.")));
  const bound = Math.sqrt(6 / (192 + 64));
  const packed = values.get("transformer_encoder.layers.0.self_attn.in_proj_weight")!;
  const top = Math.max(...packed.map(Math.abs));
  assert.ok(top <= bound && top > 0.95 * bound, `the packed weight reaches ${top}, wanted ${bound}`);
  assert.notDeepEqual(values.get("projection_head.weight"), values.get("decoder.0.weight"));
  parameters.destroy();
});
