/**
 * Scores of the test units of a fold, for each kind of task.
 *
 * @module
 */

import {
  balancedAccuracy,
  type Classified,
  cohenKappa,
  confusionMatrix,
  f1Scores,
  macroAuc,
  macroAveragePrecision,
  predictedClasses,
} from "../classification.ts";
import { meanSquaredError, pearson, rSquared, spearman } from "../correlation.ts";
import { mean } from "../linalg/statistics.ts";
import { column, type Table, takeRows } from "../linalg/table.ts";
import { concordanceIndex } from "../survival.ts";

/** What is true of the test units of a fold. */
export type FoldTruth =
  | { readonly kind: "classification"; readonly labels: readonly number[]; readonly classes: number }
  | { readonly kind: "survival"; readonly times: readonly number[]; readonly events: readonly number[] }
  | {
    readonly kind: "regression";
    /** On the scale of the training units, `[test, targets]`. */
    readonly values: Table;
    /** The same of the training units. */
    readonly training: Table;
  };

/** Scores by name; null where the units do not define one. */
export type Scores = Readonly<Record<string, number | null>>;

/** Names of the scores of a kind, the headline first. */
export const SCORES: Readonly<Record<FoldTruth["kind"], readonly string[]>> = {
  classification: [
    "auc",
    "average_precision",
    "balanced_accuracy",
    "kappa",
    "weighted_kappa",
    "macro_f1",
    "weighted_f1",
  ],
  survival: ["cindex"],
  regression: ["pearson", "spearman", "r2", "mse"],
};

/** Scores in which less is better. */
export const LESS_IS_BETTER: ReadonlySet<string> = new Set(["mse"]);

/**
 * Scores outputs.
 *
 * @param at Positions among the test units, with repetition where they were drawn.
 */
export function scoresOf(truth: FoldTruth, output: Float64Array, at: readonly number[]): Scores {
  if (truth.kind === "classification") return classScores(truth, output, at);
  if (truth.kind === "survival") {
    const follow = { times: at.map((i) => truth.times[i]!), events: at.map((i) => truth.events[i]!) };
    return { cindex: concordanceIndex(follow, at.map((i) => output[i]!)).value };
  }
  const each = targetScores(truth, output, at);
  return Object.fromEntries(SCORES.regression.map((name) => {
    const known = each.flatMap((scores) => scores[name] ?? []);
    return [name, known.length === 0 ? null : mean(known)];
  }));
}

function classScores(
  { labels, classes }: FoldTruth & { kind: "classification" },
  output: Float64Array,
  at: readonly number[],
): Scores {
  const probabilities = new Float64Array(at.length * classes);
  at.forEach((i, r) => probabilities.set(output.subarray(i * classes, (i + 1) * classes), r * classes));
  const of: Classified = { labels: at.map((i) => labels[i]!), probabilities, classes };
  const confusion = confusionMatrix(of.labels, predictedClasses(of), classes);
  const f1 = f1Scores(confusion);
  return {
    auc: macroAuc(of),
    average_precision: macroAveragePrecision(of),
    balanced_accuracy: balancedAccuracy(confusion),
    kappa: cohenKappa(confusion),
    weighted_kappa: cohenKappa(confusion, "quadratic"),
    macro_f1: f1.macro,
    weighted_f1: f1.weighted,
  };
}

/** Scores of each target of a regression. */
export function targetScores(
  { values }: FoldTruth & { kind: "regression" },
  output: Float64Array,
  at: readonly number[],
): Scores[] {
  const targets = values.columns;
  const [said, truth] = [takeRows({ rows: values.rows, columns: targets, data: output }, at), takeRows(values, at)];
  return Array.from({ length: targets }, (_, k) => {
    const [a, b] = [column(said, k), column(truth, k)];
    return {
      pearson: pearson(a, b).value,
      spearman: spearman(a, b).value,
      r2: rSquared(a, b).value,
      mse: meanSquaredError(a, b),
    };
  });
}
