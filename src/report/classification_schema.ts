/**
 * Checks of the classification in `evaluation/results.json`.
 *
 * @module
 */

import {
  CLASSIFICATION_SCORES,
  type ClassificationDifference,
  type ClassificationEstimate,
  type ClassificationFold,
  type ClassificationResults,
  type FoldScores,
  type Predictor,
} from "./classification_evidence.ts";
import { type Check, count, flag, list, nullable, object, oneOf, optional, real, text } from "./schema.ts";

const number = nullable(real);

const estimate: Check<ClassificationEstimate> = object<ClassificationEstimate>({
  value: number,
  low: optional(real),
  high: optional(real),
  level: optional(real),
  draws: optional(count),
  draws_mean: optional(real),
  draws_undefined: optional(count),
  std: optional(real),
  se: optional(real),
  over: oneOf("folds", "cases", "patients"),
  units: count,
  reason: optional(text),
});

/** An object with the known scores, each by `check`. */
function scoresOf<T>(check: Check<T>): Check<Readonly<Partial<Record<(typeof CLASSIFICATION_SCORES)[number], T>>>> {
  return object<Record<string, T | undefined>>(
    Object.fromEntries(CLASSIFICATION_SCORES.map((name) => [name, optional(check)])) as never,
  ) as never;
}

const fold: Check<ClassificationFold> = object<ClassificationFold>({
  name: text,
  train: count,
  val: optional(count),
  test: count,
  test_patients: count,
  train_classes: list(count),
  test_classes: list(count),
});

const foldScores: Check<FoldScores> = object<FoldScores>({
  fold: text,
  scores: scoresOf(number),
  auc_per_class: list(number),
  confusion: list(list(count)),
  reason: optional(text),
});

const predictor: Check<Predictor> = object<Predictor>({
  id: text,
  label: text,
  role: oneOf("trained", "baseline"),
  note: optional(text),
  scores: scoresOf(estimate),
  folds: list(foldScores),
});

const difference: Check<ClassificationDifference> = object<ClassificationDifference>({
  score: oneOf(...CLASSIFICATION_SCORES),
  predictor: text,
  baseline: text,
  value: real,
  low: optional(real),
  high: optional(real),
  level: optional(real),
  delong_se: optional(real),
  delong_p: optional(real),
  by_fold: optional(list(number)),
  se: optional(real),
  better: optional(count),
  worse: optional(count),
  reason: optional(text),
});

const fields: Check<ClassificationResults> = object<ClassificationResults>({
  task: text,
  classes: list(text),
  ordinal: flag,
  unit: oneOf("case", "slide"),
  cases: count,
  patients: count,
  slides: count,
  features: optional(text),
  folds: list(fold),
  overlap: count,
  predictors: list(predictor),
  differences: list(difference),
  predictions: optional(text),
});

/** The classification, with extents, sums and names that agree. */
export const classification: Check<ClassificationResults> = (value, place) => {
  const found = fields(value, place);
  const at = (path: string) => `${place.path}.${path}`;
  const { classes, folds, predictors, differences } = found;
  const want = (path: string, given: number, wanted: number, what: string) =>
    given === wanted || place.fail(at(path), `${given} ${what}`, String(wanted));
  if (classes.length < 2) place.fail(at("classes"), `${classes.length} classes`, "at least 2");
  folds.forEach(({ test, test_classes, train, train_classes }, i) => {
    want(`folds[${i}].test_classes`, test_classes.length, classes.length, "classes");
    want(`folds[${i}].train_classes`, train_classes.length, classes.length, "classes");
    want(`folds[${i}].test_classes`, sum(test_classes), test, "cases");
    want(`folds[${i}].train_classes`, sum(train_classes), train, "cases");
  });
  predictors.forEach((one, p) => {
    want(`predictors[${p}].folds`, one.folds.length, folds.length, "folds");
    one.folds.forEach(({ fold, confusion, scores }, i) => {
      const path = `predictors[${p}].folds[${i}]`;
      if (fold !== folds[i]!.name) place.fail(at(`${path}.fold`), fold, folds[i]!.name);
      want(`${path}.confusion`, confusion.length, classes.length, "rows");
      confusion.forEach((row, k) => {
        want(`${path}.confusion[${k}]`, row.length, classes.length, "columns");
        want(`${path}.confusion[${k}]`, sum(row), folds[i]!.test_classes[k]!, "cases");
      });
      for (const [name, score] of Object.entries(scores)) {
        const least = name === "kappa" ? -1 : 0;
        const fits = typeof score !== "number" || (score >= least && score <= 1);
        if (!fits) place.fail(at(`${path}.scores.${name}`), String(score), `${least} to 1`);
      }
    });
  });
  const ids = predictors.map(({ id }) => id);
  ids.forEach((id, p) => ids.indexOf(id) === p || place.fail(at(`predictors[${p}].id`), `${id} again`, "each once"));
  differences.forEach(({ predictor, baseline }, i) => {
    for (const [key, id] of [["predictor", predictor], ["baseline", baseline]] as const) {
      if (!ids.includes(id)) place.fail(at(`differences[${i}].${key}`), id, "the id of a predictor");
    }
  });
  return found;
};

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
