/** What the plans of VORTEX pick on a GPU. */

import { backwardFrom } from "../../../src/autodiff/backward.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import { createVortexModel } from "../../../src/methods/vortex/model.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { phantomConfig } from "../../../scripts/methods/vortex/phantom_data.ts";
import { addTexts, type Coverage, type Texts } from "../../gpu/plan_texts.ts";

/** A step behind the encoder with each way to make slices one, and its use. */
function vortexTexts(texts: Texts, gpu: Gpu): void {
  for (
    const [dim, heads, width, genes, batch, slices] of [[768, 12, 512, 50, 128, 8], [384, 6, 512, 47, 24, 16]] as const
  ) {
    for (const aggregate of ["depth", "mean"]) {
      const config = phantomConfig({ aggregate, width, pool_heads: 8, gene_hidden: 1024, gene_dropout: 0.2 });
      const parameters = new Parameters(gpu);
      const model = createVortexModel(parameters, { dim, heads, genes, volumes: 6 }, config);
      const inputs = new Store(gpu);
      const tensor = (name: string, shape: readonly number[]) => inputs.tensor(name, name, shape);
      const depths = {
        code: tensor("code", [batch, slices, dim]),
        blind: tensor("blind", [batch, slices]),
        weight: tensor("weight", [batch, slices]),
      };
      const values = {
        x: tensor("x", [batch, genes]),
        measured: tensor("measured", [batch, genes]),
        inverse: tensor("inverse", [1]),
        volume: tensor("volume", [batch, 6]),
        overlap: tensor("overlap", [batch, batch]),
      };
      const z = tensor("z", [batch * slices, dim]);
      z.requiresGrad = true;
      const g = new Plan(gpu);
      g.random = inputs.tensor("random", "random", [4], "u32");
      backwardFrom(g, model.losses(g, model.pool(g, z, depths), values, ["shared", "volume"]).loss);
      addTexts(texts, g, `VORTEX by ${aggregate}, ${slices} slices of ${dim}`);
      const use = new Plan(gpu);
      use.withoutTape(() => {
        const pooled = model.pool(use, z, depths);
        model.image(use, pooled);
        model.predict(use, pooled, "voi");
      });
      addTexts(texts, use, `VORTEX in use by ${aggregate}`);
    }
  }
}

/** Adds all texts. */
export const coverage: Coverage = (texts, { gpuLike }) => {
  for (const f16 of [true, false]) vortexTexts(texts, gpuLike(f16));
};
