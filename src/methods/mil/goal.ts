/**
 * What a model of bags is trained for: the loss of a batch, and the numbers of its bags that the loss reads.
 *
 * | goal | outputs | loss |
 * |---|---|---|
 * | classes | a logit a class | cross-entropy; of `clam` also that of its instances |
 * | numbers | the targets | squared error |
 * | risk | one, the logarithm of the hazard | Cox's partial likelihood within the batch |
 * | hazards | a logit an interval of time | likelihood of discrete survival |
 *
 * @module
 */

import { expectShape } from "../../core/shape.ts";
import type { Table } from "../../eval/linalg/table.ts";
import type { FollowUp } from "../../eval/survival.ts";
import type { Plan } from "../../graph/plan.ts";
import type { Store } from "../../graph/store.ts";
import type { Tensor } from "../../graph/tensor.ts";
import { coxLoss, coxTables } from "../../losses/cox.ts";
import { discreteSurvivalLoss, intervalTables } from "../../losses/discrete_survival.ts";
import { add, mul } from "../../ops/binary.ts";
import { instanceTargets } from "../../ops/instance_targets.ts";
import { sumAll } from "../../ops/reduce.ts";
import { affine } from "../../ops/scale.ts";
import { logSoftmax } from "../../ops/softmax.ts";
import type { Fields } from "../../train/step_model.ts";
import { classTargets, squaredError, targetCrossEntropy } from "./objective.ts";

/** What a model says of a batch. */
export interface Said {
  /** `[B, K]`. */
  readonly output: Tensor;
  /** Scores of rows `[R, H]`, where the goal reads them. */
  readonly scores: Tensor;
  /** Where bags begin among the rows, `[B + 1]`. */
  readonly bound: Tensor;
  /** Logits of instances `[R, K, 2]`, of a model that has them. */
  readonly instances: Tensor | undefined;
}

/** Values of the fields of a batch. */
export type FieldValues = Readonly<Record<string, Float32Array>>;

/** What is trained for. */
export interface Goal {
  /** Numbers that a model must say of a bag. */
  readonly outputs: number;
  /** Makes the tensors of a batch of at most `bags`. */
  fields(store: Store, bags: number): Fields;
  /** Appends the loss, `[1]`. */
  loss(g: Plan, said: Said, fields: Fields): Tensor;
  /**
   * Numbers of a batch.
   *
   * @param picks Its bags, by their numbers.
   * @param size Bags the plan has room for; those behind the last count nothing.
   */
  values(picks: readonly number[], size: number): FieldValues;
}

const field = (store: Store, name: string, shape: number[]): Tensor => store.tensor(name, name, shape);

/** The loss of CLAM's instances beside that of bags. */
export interface InstanceOptions {
  /** Of the whole loss, 0 to below 1. */
  readonly share: number;
  /** Rows of most attention, and of least, of a bag. */
  readonly count: number;
}

/** CLAM's: 0.3 of the loss, 8 rows on each side. */
export const CLAM_INSTANCES: InstanceOptions = { share: 0.3, count: 8 };

/** How classes are learnt. */
export interface ClassGoal {
  /** Class of each bag by its number. */
  readonly labels: readonly number[];
  readonly classes: number;
  /** Of classes; all 1 by default. */
  readonly weights?: ArrayLike<number> | undefined;
  /** Of a model with instances; default {@linkcode CLAM_INSTANCES}. */
  readonly instances?: InstanceOptions | undefined;
}

/** Classes. */
export function classGoal({ labels, classes, weights, instances = CLAM_INSTANCES }: ClassGoal): Goal {
  const own = (picks: readonly number[]) => picks.map((bag) => labels[bag]!);
  return {
    outputs: classes,
    fields: (store, bags) => ({
      target: field(store, "target", [bags, classes]),
      instance: field(store, "instance", [bags, classes, 2]),
    }),
    loss(g, { output, scores, bound, instances: logits }, { target, instance }) {
      const bags = targetCrossEntropy(g, output, target!);
      if (!logits) return bags;
      const { share, count } = instances;
      const rows = instanceLoss(g, { logits, scores, bound, weights: instance! }, count);
      return add(g, affine(g, bags, 1 - share), affine(g, rows, share));
    },
    values: (picks, size) => ({
      target: classTargets(own(picks), { classes, size, ...(weights && { weights }) }),
      instance: instanceWeights(own(picks), { classes, size, weights }),
    }),
  };
}

/** What the loss of instances reads. */
interface Instances {
  readonly logits: Tensor;
  readonly scores: Tensor;
  readonly bound: Tensor;
  /** `[B, K, 2]`, see {@linkcode instanceWeights}. */
  readonly weights: Tensor;
}

/** Cross-entropy of the rows of most and least attention with what their bag makes of them. */
export function instanceLoss(g: Plan, { logits, scores, bound, weights }: Instances, count: number): Tensor {
  expectShape("instanceLoss", "scores", scores.shape, [logits.dim(0), 1]);
  const target = g.withoutTape(() => instanceTargets(g, scores.reshape([scores.size]), bound, weights, count));
  return affine(g, sumAll(g, mul(g, logSoftmax(g, logits), target)), -1);
}

/**
 * Weights of the instances of bags: of the bag's class both sides count; of more than two classes, which exclude each other,
 * the rows of most attention are none of the others, and the sum is divided by the classes.
 *
 * @returns `[size, classes, 2]`.
 */
export function instanceWeights(
  labels: readonly number[],
  { classes, size, weights }: { classes: number; size: number; weights?: ArrayLike<number> | undefined },
): Float32Array {
  const out = new Float32Array(size * classes * 2);
  labels.forEach((label, b) => {
    const one = (weights?.[label] ?? 1) / (labels.length * (classes > 2 ? classes : 1));
    for (let c = 0; c < classes; c++) {
      if (c === label) out[2 * (b * classes + c)] = one;
      else if (classes > 2) out[2 * (b * classes + c) + 1] = one;
    }
  });
  return out;
}

/**
 * Numbers.
 *
 * @param targets `[bags, K]`, by the numbers of bags.
 */
export function numberGoal(targets: Table): Goal {
  const K = targets.columns;
  return {
    outputs: K,
    fields: (store, bags) => ({
      target: field(store, "target", [bags, K]),
      weight: field(store, "weight", [bags, 1]),
    }),
    loss: (g, { output }, { target, weight }) => squaredError(g, output, target!, weight!),
    values(picks, size) {
      const target = new Float32Array(size * K);
      picks.forEach((bag, b) => target.set(targets.data.subarray(bag * K, (bag + 1) * K), b * K));
      return { target, weight: new Float32Array(size).fill(1 / (picks.length * K), 0, picks.length) };
    },
  };
}

/** Risk, by Cox's partial likelihood of each batch. */
export function riskGoal(follow: FollowUp, ties: "breslow" | "efron"): Goal {
  return {
    outputs: 1,
    fields: (store, bags) => ({
      risk: field(store, "risk", [bags, bags]),
      target: field(store, "target", [bags, bags]),
      offset: field(store, "offset", [1]),
    }),
    loss: (g, { output }, { risk, target, offset }) =>
      coxLoss(g, output, { risk: risk!, target: target!, offset: offset! }),
    values: (picks, size) => ({
      ...coxTables({
        times: picks.map((bag) => follow.times[bag]!),
        events: picks.map((bag) => follow.events[bag] ? 1 : 0),
      }, { ties, size }),
    }),
  };
}

/** Hazards of intervals of time. */
export function hazardGoal(intervals: readonly number[], events: FollowUp["events"], count: number): Goal {
  return {
    outputs: count,
    fields: (store, bags) => ({
      entered: field(store, "entered", [bags, count]),
      failed: field(store, "failed", [bags, count]),
    }),
    loss: (g, { output }, { entered, failed }) =>
      discreteSurvivalLoss(g, output, { entered: entered!, failed: failed! }),
    values: (picks, size) => ({
      ...intervalTables(picks.map((bag) => intervals[bag]!), picks.map((bag) => events[bag] ? 1 : 0), { count, size }),
    }),
  };
}
