/** What the plans of slide-level models pick on a GPU. */

import { backwardFrom } from "../../../src/autodiff/backward.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import { createMil, MIL_MODELS } from "../../../src/methods/mil/model.ts";
import { squaredError, targetCrossEntropy } from "../../../src/methods/mil/objective.ts";
import { addTexts, type Coverage, type Texts } from "../../gpu/plan_texts.ts";

/** Plans of slide-level models: training steps of one bag and of eight, and inference over blocks of rows. */
function milTexts(texts: Texts, gpu: Gpu): void {
  const sizes = [[1024, 1, 2048, 1, 2], [1536, 8, 8 * 2048, 4, 3], [384, 2, 4096, 1, 5], [
    1000,
    1,
    2000,
    2,
    50,
  ]] as const;
  for (const kind of MIL_MODELS) {
    for (const [dim, bags, count, most, outputs] of sizes) {
      const heads = kind === "meanmil" ? 1 : most;
      const model = createMil(gpu, { kind, dim, outputs, heads });
      const inputs = new Store(gpu);
      const x = inputs.tensor("x", "x", [count, dim]);
      const bound = inputs.tensor("bound", "bound", [bags + 1], "u32");
      const mask = inputs.tensor("mask", "mask", [count], "u32");
      const target = inputs.tensor("target", "target", [bags, outputs]);
      const weight = inputs.tensor("weight", "weight", [bags, 1]);
      const random = inputs.tensor("random", "random", [4], "u32");
      const name = `${kind} of ${bags} bags in ${count} rows of ${dim}`;
      for (const form of ["classes", "targets", "masked"] as const) {
        const g = new Plan(gpu);
        g.random = random;
        const { output } = model.forward(g, x, { bound, ...(form === "masked" && { mask }) }, form !== "masked");
        const loss = form === "targets"
          ? squaredError(g, output, target, weight)
          : targetCrossEntropy(g, output, target);
        backwardFrom(g, loss);
        addTexts(texts, g, `${name}, ${form}`);
      }
      const g = new Plan(gpu);
      g.withoutTape(() => model.forward(g, x, { bound, mask }, false));
      addTexts(texts, g, `inference on ${name}`);
    }
  }
}

/** Adds all texts. */
export const coverage: Coverage = (texts, { gpuLike }) => {
  for (const f16 of [true, false]) milTexts(texts, gpuLike(f16));
};
