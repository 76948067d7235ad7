/** Training of models of bags by their objective and AdamW alone, as Patho-Bench trains them. */

import { backwardFrom } from "../../../src/autodiff/backward.ts";
import { randomState } from "../../../src/core/rng.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { Plan } from "../../../src/graph/plan.ts";
import { submit } from "../../../src/graph/program.ts";
import { Store } from "../../../src/graph/store.ts";
import type { MilModel } from "../../../src/methods/mil/model.ts";
import { classTargets, targetCrossEntropy } from "../../../src/methods/mil/objective.ts";
import { AdamW } from "../../../src/optim/adamw.ts";
import { cosineSchedule } from "../../../src/optim/schedule.ts";

/** A bag of training. */
export interface TrainBag {
  /** Rows `[n, d]`. */
  readonly x: Float32Array;
  readonly label: number;
}

/** How a model is trained. */
export interface Training {
  /** Most rows of a batch, and its bags. */
  readonly rows: number;
  readonly batch: number;
  readonly lr: number;
  readonly steps: number;
  readonly seed?: number;
  readonly weights?: ArrayLike<number> | undefined;
}

/** Compiles a step; bags of a batch are given each time. */
export async function createTrainer(model: MilModel, options: Training) {
  const { rows, batch, lr, steps, seed = 0, weights } = options;
  const { parameters, dim, outputs } = model;
  const { gpu } = parameters;
  const optimizer = new AdamW(parameters, [{ match: () => true, weightDecay: 1e-5 }]);
  const rate = cosineSchedule({ base: lr, total: steps, min: 1e-8 });
  const inputs = new Store(gpu);
  const x = inputs.tensor("x", "x", [rows, dim]);
  const bound = inputs.tensor("bound", "bound", [batch + 1], "u32");
  const target = inputs.tensor("target", "target", [batch, outputs]);
  const random = inputs.tensor("random", "random", [4], "u32");
  inputs.allocate();
  const g = new Plan(gpu);
  g.random = random;
  const loss = targetCrossEntropy(g, model.forward(g, x, { bound }, true).output, target);
  g.output(loss);
  backwardFrom(g, loss);
  const micro = await g.compile({ clearGradients: true });
  const apply = new Plan(gpu);
  optimizer.step(apply);
  const update = await apply.compile();
  let step = 0;
  return {
    dispatches: micro.kernels.length + update.kernels.length,
    submit(bags: readonly TrainBag[]): void {
      const block = new Float32Array(rows * dim);
      const ends = [0];
      for (const bag of bags) {
        block.set(bag.x, ends.at(-1)! * dim);
        ends.push(ends.at(-1)! + bag.x.length / dim);
      }
      inputs.write(x, block);
      inputs.write(bound, ends);
      const labels = bags.map(({ label }) => label);
      inputs.write(target, classTargets(labels, { classes: outputs, ...(weights && { weights }) }));
      inputs.write(random, randomState(seed, step, 0));
      optimizer.setLearningRate(rate(step++));
      submit(gpu, [micro, update]);
    },
    async loss(): Promise<number> {
      return (await readback(gpu, loss))[0]![0]!;
    },
    destroy(): void {
      micro.destroy();
      update.destroy();
      inputs.destroy();
      optimizer.destroy();
    },
  };
}
