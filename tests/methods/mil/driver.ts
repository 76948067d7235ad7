/** Training of models of bags as Patho-Bench trains them, by the engine's step. */

import type { MilModel } from "../../../src/methods/mil/model.ts";
import { classGoal, type Goal, type InstanceOptions } from "../../../src/methods/mil/goal.ts";
import { type FeatureRow, milStep, stepBatch } from "../../../src/methods/mil/step.ts";
import { AdamW } from "../../../src/optim/adamw.ts";
import { cosineSchedule } from "../../../src/optim/schedule.ts";
import { Step } from "../../../src/train/step.ts";

/** A bag of training. */
export interface TrainBag {
  /** Rows `[n, d]`. */
  readonly x: Float32Array;
  readonly label: number;
}

/** How a model is trained. */
export interface TrainerOptions {
  /** Most rows of a batch, and its bags. */
  readonly rows: number;
  readonly batch: number;
  readonly lr: number;
  readonly steps: number;
  readonly seed?: number;
  /** Of classes. */
  readonly weights?: ArrayLike<number> | undefined;
  readonly instances?: InstanceOptions;
  /** What is learnt; by default the labels of the bags. @param labels Of the bags of a batch. */
  readonly goal?: (labels: readonly number[]) => Goal;
  /** Rows in memory at a time; all by default. */
  readonly micro?: number;
}

/** Bags one behind another, and where each begins. */
export function joined(bags: readonly TrainBag[], dim: number, size = bags.length) {
  const x = new Float32Array(bags.reduce((sum, bag) => sum + bag.x.length, 0));
  const bound = new Uint32Array(size + 1);
  for (let b = 0; b < size; b++) {
    if (bags[b]) x.set(bags[b]!.x, bound[b]! * dim);
    bound[b + 1] = bound[b]! + (bags[b]?.x.length ?? 0) / dim;
  }
  return { x, bound };
}

/** Compiles a step; bags of a batch are given each time. */
export async function createTrainer(model: MilModel, options: TrainerOptions) {
  const { rows, batch, lr, steps, seed = 0, weights, instances, micro = rows } = options;
  const goalOf = options.goal ??
    ((labels) => classGoal({ labels, classes: model.outputs, weights, instances }));
  const optimizer = new AdamW(model.parameters, [{ match: () => true, weightDecay: 1e-5 }]);
  const rate = cosineSchedule({ base: lr, total: steps, min: 1e-8 });
  const ring = 128;
  const step = await Step.compile<FeatureRow>(milStep(model, goalOf([]), { bags: batch }), optimizer, {
    batch,
    rows,
    micro,
    seed,
    ring,
  });
  let t = 0;
  return {
    async submit(bags: readonly TrainBag[]): Promise<void> {
      const labels = bags.map(({ label }) => label);
      const picks = labels.map((_, i) => i);
      await step.submit(rate(t++), () => stepBatch(model, goalOf(labels), joined(bags, model.dim, batch), picks));
    },
    /** Losses of the steps since the last call, the last 128 of them. */
    async losses(): Promise<number[]> {
      return (await step.readMetrics()).map(({ loss }) => loss!);
    },
    destroy(): void {
      step.destroy();
      optimizer.destroy();
    },
  };
}
