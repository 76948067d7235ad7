/**
 * Models of mean features on the host: logistic regression, ridge and elastic-net Cox, each beside the baseline that sees no
 * features.
 *
 * Source: Patho-Bench's linear probe (C = 0.5, balanced classes, nothing standardised) and CoxNet (l1 0.5, alpha 0.01, 0.02,
 * 0.07). Ridge is an addition: features and targets standardised by the training units, its penalty chosen by leaving out
 * each training case.
 *
 * @module
 */

import { fitCoxnet } from "../coxnet.ts";
import { predictRisk } from "../cox.ts";
import { applyStandardizer, fitStandardizer } from "../linalg/standardize.ts";
import { type Table, takeRows } from "../linalg/table.ts";
import { fitLogistic, logisticProbabilities } from "../logistic.ts";
import { standardizedTargets } from "../pathways.ts";
import { predictLinear } from "../ridge.ts";
import { fitChosenRidge } from "../ridge_choice.ts";
import { countEvents, isComparable } from "../survival.ts";
import type { Cohort, CohortFold } from "./cohort.ts";
import type { FoldTruth } from "./scores.ts";

/** Patho-Bench's weight of the loss against the penalty. */
const LOGISTIC_C = 0.5;
/** Patho-Bench's penalties, the largest first. */
const ALPHAS: readonly number[] = [0.07, 0.02, 0.01];

/** A model by name. */
export interface ModelName {
  readonly id: string;
  readonly label: string;
  readonly note: string;
}

/** Models of a kind of task, and what they are measured against. */
export const MODELS: Readonly<
  Record<Cohort["targets"]["kind"], { models: readonly ModelName[]; baseline: ModelName }>
> = {
  classification: {
    models: [{ id: "mean_logistic", label: "Mean + logistic", note: `C ${LOGISTIC_C}, balanced classes` }],
    baseline: { id: "majority", label: "Class frequencies", note: "how frequent the classes are in training" },
  },
  survival: {
    models: ALPHAS.map((alpha) => ({
      id: `coxnet_${alpha}`,
      label: `CoxNet ${alpha}`,
      note: `elastic net, alpha ${alpha}, l1 0.5, Breslow's ties`,
    })),
    baseline: { id: "constant", label: "Constant risk", note: "the same risk for all" },
  },
  regression: {
    models: [{ id: "ridge", label: "Ridge", note: "penalty chosen by leaving out each training case" }],
    baseline: { id: "mean", label: "Training mean", note: "the mean of the training units for all" },
  },
};

/** Outputs for the test units of a fold, by model; or why there are none. */
export interface FoldFit {
  readonly outputs?: readonly Float64Array[];
  readonly baseline?: Float64Array;
  readonly truth?: FoldTruth;
  /** What a reader must know of the fold whatever the features. */
  readonly problems: readonly string[];
}

/** Truth, baseline and problems of a fold, before any features. */
export function openFold({ targets, units }: Cohort, { train, test }: CohortFold): Omit<FoldFit, "outputs"> {
  const problems: string[] = [];
  for (const [side, own] of [["train", train], ["test", test]] as const) {
    if (own.length === 0) return { problems: [`no ${side} unit with features`] };
  }
  if (targets.kind === "classification") {
    const { classes, labels } = targets;
    const counts = (side: readonly number[]) => classes.map((_, k) => side.filter((u) => labels[u] === k).length);
    const trained = counts(train);
    for (const [side, own] of [["train", trained], ["test", counts(test)]] as const) {
      const missing = classes.filter((_, k) => own[k] === 0);
      if (missing.length > 0) problems.push(`no ${side} unit of class ${missing.join(", ")}`);
    }
    const truth: FoldTruth = { kind: "classification", labels: test.map((u) => labels[u]!), classes: classes.length };
    if (trained.filter((count) => count > 0).length < 2) {
      return { problems: [...problems, "one class only to train on"] };
    }
    const share = trained.map((count) => count / train.length);
    return { problems, truth, baseline: Float64Array.from(test.flatMap(() => share)) };
  }
  if (targets.kind === "survival") {
    const side = (own: readonly number[]) => ({
      times: own.map((u) => targets.times[u]!),
      events: own.map((u) => targets.events[u]!),
    });
    if (countEvents(side(train)) === 0) return { problems: ["no event among the training units"] };
    if (train.length < 2) return { problems: ["fewer than two units to train on"] };
    if (countEvents(side(test)) === 0) problems.push("no event among the test units");
    else if (!isComparable(side(test))) problems.push("no two test units whose order is known");
    return { problems, truth: { kind: "survival", ...side(test) }, baseline: new Float64Array(test.length) };
  }
  if (new Set(train.map((u) => units[u]!.case)).size < 2) return { problems: ["fewer than two cases to train on"] };
  const { targets: scaled, constant } = standardizedTargets(targets.raw(train), train);
  if (constant.length > 0) problems.push(`constant in training: ${constant.map((k) => targets.names[k]).join(", ")}`);
  const truth: FoldTruth = { kind: "regression", values: takeRows(scaled, test), training: takeRows(scaled, train) };
  const { data, columns } = truth.values;
  const same = targets.names.filter((_, k) => test.every((_, row) => data[row * columns + k] === data[k]));
  if (same.length > 0) problems.push(`the same in all test units: ${same.join(", ")}`);
  return { problems, truth, baseline: new Float64Array(test.length * targets.names.length) };
}

/** Fits the models of a fold. @returns An output a model, `[test, classes | 1 | targets]`, and what went wrong. */
export function fitFold(
  { targets, units }: Cohort,
  { train, test }: CohortFold,
  truth: FoldTruth,
  x: Table,
): { outputs: Float64Array[]; problems: string[] } {
  const [seen, unseen] = [takeRows(x, train), takeRows(x, test)];
  if (targets.kind === "classification") {
    const labels = train.map((u) => targets.labels[u]!);
    const model = fitLogistic(seen, labels, { c: LOGISTIC_C, balanced: true });
    const problems = model.converged ? [] : ["logistic regression did not converge"];
    return { outputs: [logisticProbabilities(model, unseen, targets.classes.length)], problems };
  }
  if (targets.kind === "survival") {
    const follow = { times: train.map((u) => targets.times[u]!), events: train.map((u) => targets.events[u]!) };
    const { coefficients, converged } = fitCoxnet(seen, follow, { alphas: ALPHAS });
    return {
      outputs: coefficients.map((beta) => predictRisk(unseen, beta)),
      problems: ALPHAS.flatMap((alpha, i) => converged[i] ? [] : [`CoxNet ${alpha} did not converge`]),
    };
  }
  const by = fitStandardizer(seen);
  const { training } = truth as FoldTruth & { kind: "regression" };
  const model = fitChosenRidge(applyStandardizer(seen, by), training, train.map((u) => units[u]!.case));
  return { outputs: [predictLinear(model, applyStandardizer(unseen, by)).data as Float64Array], problems: [] };
}
