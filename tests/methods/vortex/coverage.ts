/** What the plans of VORTEX pick on a GPU. */

import { backwardFrom } from "../../../src/autodiff/backward.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import { maskedMse } from "../../../src/losses/masked_mse.ts";
import { createVortexModel } from "../../../src/methods/vortex/model.ts";
import { createPatchEncoder } from "../../../src/methods/vortex/slices.ts";
import { createEncoder } from "../../../src/models/encoder.ts";
import { findEncoder } from "../../../src/models/encoder_registry.ts";
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

/** A step of patches encoded whole: tubelets of one block of the encoder's width. */
function tubeletTexts(texts: Texts, gpu: Gpu): void {
  const [batch, slices, genes] = [16, 8, 50];
  const config = phantomConfig({ aggregate: "tubelets", slices, width: 512, pool_heads: 8, gene_hidden: 1024 });
  const spec = findEncoder("vit_small_patch16_224");
  for (const [width, heads] of [[384, 6], [768, 12]] as const) {
    const parameters = new Parameters(gpu, () => true);
    const arch = { ...spec.arch, width, heads, hidden: 4 * width, depth: 1 };
    const encoder = createEncoder(parameters, spec, { arch, seed: 1 });
    const model = createVortexModel(parameters, { dim: width, heads, genes, volumes: 6 }, config);
    const patches = createPatchEncoder(encoder, model, { channels: 3, config });
    const inputs = new Store(gpu);
    const x = inputs.tensor("x", "x", [batch, patches.size(slices)]);
    const measured = inputs.tensor("measured", "measured", [batch, genes]);
    const inverse = inputs.tensor("inverse", "inverse", [1]);
    const g = new Plan(gpu);
    g.random = inputs.tensor("random", "random", [4], "u32");
    const z = patches.record(g, x, slices, { training: true });
    const fields = { code: x, blind: x, weight: x };
    const said = model.predict(g, model.pool(g, z, fields), "shared");
    backwardFrom(g, maskedMse(g, said, inputs.tensor("y", "y", [batch, genes]), measured, inverse));
    addTexts(texts, g, `VORTEX by tubelets of ${width}`);
    const use = new Plan(gpu);
    use.withoutTape(() => model.predict(use, model.pool(use, patches.record(use, x, slices), fields), "voi"));
    addTexts(texts, use, `VORTEX in use by tubelets of ${width}`);
  }
}

/** Adds all texts. */
export const coverage: Coverage = (texts, { gpuLike }) => {
  for (const f16 of [true, false]) vortexTexts(texts, gpuLike(f16));
  tubeletTexts(texts, gpuLike(false));
};
