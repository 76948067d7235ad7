/** What the plans of slide-level models pick on a GPU. */

import { backwardFrom } from "../../../src/autodiff/backward.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { Store } from "../../../src/graph/store.ts";
import { classGoal, type Goal, hazardGoal, numberGoal, riskGoal } from "../../../src/methods/mil/goal.ts";
import { createMil, MIL_MODELS } from "../../../src/methods/mil/model.ts";
import { milStep } from "../../../src/methods/mil/step.ts";
import { addTexts, type Coverage, type Texts } from "../../gpu/plan_texts.ts";

/** Width of rows, bags, rows, heads and outputs. */
const SIZES = [
  [1024, 1, 2048, 1, 2],
  [1536, 8, 8 * 2048, 4, 3],
  [384, 2, 4096, 1, 5],
  [1000, 1, 2000, 2, 50],
] as const;

function goalsOf(outputs: number): Readonly<Record<string, Goal>> {
  return {
    classes: classGoal({ labels: [], classes: outputs }),
    numbers: numberGoal({ rows: 0, columns: outputs, data: new Float64Array() }),
    risk: riskGoal({ times: [], events: [] }, "efron"),
    hazards: hazardGoal([], [], outputs),
  };
}

/** Plans of slide-level models: training steps of one bag and of eight, and inference over blocks of rows. */
function milTexts(texts: Texts, gpu: Gpu): void {
  for (const kind of MIL_MODELS) {
    for (const [dim, bags, count, most, outputs] of SIZES) {
      const heads = kind === "meanmil" || kind === "clam" ? 1 : most;
      const name = `${kind} of ${bags} bags in ${count} rows of ${dim}`;
      for (const [goalName, goal] of Object.entries(goalsOf(outputs))) {
        if (kind === "clam" && goalName !== "classes") continue;
        for (const slides of goalName === "numbers" ? [undefined, 2 * bags] : [undefined]) {
          const model = createMil(gpu, { kind, dim, outputs: goal.outputs, heads });
          const step = milStep(model, goal, { bags, slides });
          const inputs = new Store(gpu);
          const g = new Plan(gpu);
          g.random = inputs.tensor("random", "random", [4], "u32");
          const { input } = step.rows!;
          const z = input.record(g, input.tensors(inputs, count), { training: true });
          backwardFrom(g, step.objective(g, z, step.fields!(inputs)).loss);
          addTexts(texts, g, `${name}, ${goalName}${slides === undefined ? "" : " by slide"}`);
        }
      }
      const model = createMil(gpu, { kind, dim, outputs, heads });
      const inputs = new Store(gpu);
      const x = inputs.tensor("x", "x", [count, dim]);
      const bound = inputs.tensor("bound", "bound", [bags + 1], "u32");
      const mask = inputs.tensor("mask", "mask", [count], "u32");
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
