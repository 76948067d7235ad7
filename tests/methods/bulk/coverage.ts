/** What the plans of training on bulk RNA pick on a GPU. */

import { backwardFrom } from "../../../src/autodiff/backward.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import { ARMS } from "../../../src/methods/bulk/config.ts";
import { createArm } from "../../../src/methods/bulk/model.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { addTexts, type Coverage, type Texts } from "../../gpu/plan_texts.ts";
import { configOf } from "./world.ts";

/** A training step of each arm, whole and the part that gradient caching repeats, and the change of tiles alone. */
function bulkTexts(texts: Texts, gpu: Gpu): void {
  for (const [dim, genes, bags, tiles] of [[1024, 5000, 64, 16], [1536, 999, 30, 7]] as const) {
    for (const arm of ARMS.slice(0, 2)) {
      for (const aggregate of ["mean", "gated"]) {
        const parameters = new Parameters(gpu);
        const model = createArm(parameters, arm, { dim, genes }, configOf({ aggregate }));
        const inputs = new Store(gpu);
        const x = inputs.tensor("x", "x", [bags * tiles, dim]);
        const fields = {
          bound: inputs.tensor("bound", "bound", [bags + 1], "u32"),
          rna: inputs.tensor("rna", "rna", [bags, genes]),
          mask: inputs.tensor("mask", "mask", [bags, bags]),
        };
        const g = new Plan(gpu);
        g.random = inputs.tensor("random", "random", [4], "u32");
        const { loss } = model.losses(g, model.tiles(g, x), fields, true);
        backwardFrom(g, loss);
        const name = `${arm} on features of ${dim}, ${aggregate}`;
        addTexts(texts, g, name);
        const alone = new Plan(gpu);
        alone.withoutTape(() => model.tiles(alone, x));
        addTexts(texts, alone, `tiles of ${name}`);
      }
    }
  }
}

/** Adds all texts. */
export const coverage: Coverage = (texts, { gpuLike }) => {
  for (const f16 of [true, false]) bulkTexts(texts, gpuLike(f16));
};
