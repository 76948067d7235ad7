/**
 * What a kind of task makes of a model of bags: what it is trained for, what its output says of a bag, and how that is judged.
 *
 * @module
 */

import type { UnitTargets } from "../../eval/cohort/cohort.ts";
import { type FoldTruth, scoresOf } from "../../eval/cohort/scores.ts";
import { CoxLoss } from "../../eval/cox_loss.ts";
import { discreteLikelihood, discreteRisk, intervalsOf, intervalStarts } from "../../eval/discrete_survival.ts";
import { takeRows } from "../../eval/linalg/table.ts";
import { standardizedTargets } from "../../eval/pathways.ts";
import { countEvents } from "../../eval/survival.ts";
import { type MilConfig, VALIDATION_SCORES } from "./config.ts";
import type { MilData } from "./data.ts";
import { classGoal, type Goal, hazardGoal, numberGoal, riskGoal } from "./goal.ts";
import { classWeights } from "./objective.ts";

/** A task on a fold. */
export interface MilTask {
  readonly goal: Goal;
  /** What the output of a bag says: probabilities of classes, targets on the scale of the training bags, or a risk. */
  said(output: Float64Array): number[];
  /** What is true of bags. */
  truth(bags: readonly number[]): FoldTruth;
  /** Mean loss of outputs of bags `[bags, K]`; NaN where they do not define it. */
  loss(bags: readonly number[], outputs: Float64Array): number;
  /** Class of each bag, by which a sampler balances them; all the same where there are none. */
  readonly strata: readonly number[];
  /** What a reader must know. */
  readonly notes: readonly string[];
  /** Of numbers: mean and deviation of each target among the training bags, 0 where it is constant there. */
  readonly scale?: TargetScale;
}

/** What targets are brought back by to the scale of their table: value = said · deviation + mean. */
export interface TargetScale {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Probabilities of logits. */
export function softmax(logits: Float64Array): number[] {
  const top = Math.max(...logits);
  const all = Array.from(logits, (value) => Math.exp(value - top));
  const sum = all.reduce((a, b) => a + b, 0);
  return all.map((value) => value / sum);
}

/** Risk of a case by the output of its bag. */
export function riskOf({ survival }: Pick<MilConfig, "survival">): (output: Float64Array) => number {
  return survival.survival === "cox" ? ([risk]) => risk! : (output) => discreteRisk(output);
}

/** The task of a run. */
export function taskOf(config: MilConfig, data: Pick<MilData, "targets" | "split">): MilTask {
  const { targets } = data;
  if (targets.kind === "classification") return classTask(config, data, targets);
  if (targets.kind === "survival") return survivalTask(config, data, targets);
  return numberTask(data, targets);
}

type Of<K extends UnitTargets["kind"]> = Extract<UnitTargets, { kind: K }>;

function classTask(
  { model, optim }: MilConfig,
  { split }: Pick<MilData, "split">,
  { labels, classes }: Of<"classification">,
): MilTask {
  const weights = optim.balance === "loss"
    ? classWeights(split.train.map((bag) => labels[bag]!), classes.length)
    : undefined;
  const instances = { share: model.instance_share, count: model.instance_tiles };
  const K = classes.length;
  return {
    goal: classGoal({ labels, classes: K, weights, instances }),
    said: softmax,
    truth: (bags) => ({ kind: "classification", labels: bags.map((bag) => labels[bag]!), classes: K }),
    loss: (bags, outputs) =>
      bags.reduce((sum, bag, i) => sum - Math.log(softmax(outputs.subarray(i * K, (i + 1) * K))[labels[bag]!]!), 0) /
      bags.length,
    strata: labels,
    notes: [],
  };
}

function numberTask({ split }: Pick<MilData, "split">, { names, raw }: Of<"regression">): MilTask {
  const { targets, constant, by } = standardizedTargets(raw(split.train), split.train);
  const K = names.length;
  return {
    goal: numberGoal(targets),
    said: (output) => [...output],
    truth: (bags) => ({
      kind: "regression",
      values: takeRows(targets, bags),
      training: takeRows(targets, split.train),
    }),
    loss: (bags, outputs) => {
      const truth = takeRows(targets, bags).data;
      return outputs.reduce((sum, value, i) => sum + (value - truth[i]!) ** 2, 0) / (bags.length * K);
    },
    strata: new Array(targets.rows).fill(0),
    scale: { mean: [...by.mean], deviation: Array.from(by.scale, (scale) => scale === Infinity ? 0 : scale) },
    notes: constant.length > 0 ? [`Constant in training: ${constant.map((k) => names[k]).join(", ")}`] : [],
  };
}

function survivalTask(
  config: MilConfig,
  { split }: Pick<MilData, "split">,
  { times, events }: Of<"survival">,
): MilTask {
  const { survival } = config;
  const risk = riskOf(config);
  const follow = (bags: readonly number[]) => ({
    times: bags.map((bag) => times[bag]!),
    events: bags.map((bag) => events[bag]!),
  });
  const shared = {
    said: (output: Float64Array) => [risk(output)],
    truth: (bags: readonly number[]): FoldTruth => ({ kind: "survival", ...follow(bags) }),
    strata: new Array(times.length).fill(0),
    notes: [],
  };
  if (survival.survival === "cox") {
    return {
      ...shared,
      goal: riskGoal({ times, events }, survival.ties),
      loss(bags, outputs) {
        const own = follow(bags);
        const count = countEvents(own);
        return count === 0 ? NaN : new CoxLoss(own, survival.ties).at(outputs).value / count;
      },
    };
  }
  const intervals = intervalsOf(times, intervalStarts(follow(split.train), survival.intervals));
  return {
    ...shared,
    goal: hazardGoal(intervals, events, survival.intervals),
    loss: (bags, outputs) =>
      discreteLikelihood(outputs, survival.intervals, {
        intervals: bags.map((bag) => intervals[bag]!),
        events: bags.map((bag) => events[bag]!),
      }).mean,
  };
}

/** Scores of outputs of bags as metrics name them; NaN where they are not defined. */
export function validationScores(
  task: MilTask,
  bags: readonly number[],
  outputs: readonly Float64Array[],
): Record<string, number> {
  const truth = task.truth(bags);
  const said = Float64Array.from(outputs.flatMap((output) => task.said(output)));
  const scores = scoresOf(truth, said, [...bags.keys()]);
  const all = Float64Array.from(outputs.flatMap((output) => [...output]));
  return {
    loss: task.loss(bags, all),
    ...Object.fromEntries(VALIDATION_SCORES[truth.kind].map((name) => [name, scores[name] ?? NaN])),
  };
}
