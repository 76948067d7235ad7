/**
 * Models of slides judged on the folds of a cohort, as `evaluation/cohort.json` of a run and `results.json` of `mil` and `evaluate`
 * have it.
 *
 * @module
 */

import { type Check, count, flag, list, nullable, object, oneOf, optional, real, record, text } from "./schema.ts";

/** A score over folds; null with a reason where it is not defined. */
export interface CohortEstimate {
  readonly value: number | null;
  /** Standard error over folds; interval over test cases. */
  readonly se?: number;
  readonly low?: number;
  readonly high?: number;
  readonly reason?: string;
}

/** A model on features, or one that knows none. */
export interface CohortRow {
  readonly source?: string;
  readonly model: string;
  readonly label: string;
  readonly note?: string;
  readonly scores: Readonly<Record<string, CohortEstimate>>;
  /** Of each judged fold: its name, and scores by theirs. */
  readonly folds: readonly Readonly<Record<string, number | string | null>>[];
  /** The same of each seed, of which those are the means. */
  readonly seeds?: readonly CohortRow["folds"][];
}

/** A fold. */
export interface CohortFold {
  readonly name: string;
  readonly train: number;
  readonly test: number;
  readonly judged: boolean;
  readonly problems?: readonly string[];
}

/** A difference of two models on the same cases. */
export interface CohortDifference extends CohortEstimate {
  readonly a: CohortModel;
  readonly b: CohortModel;
  readonly score: string;
  readonly folds: number;
  readonly better: number;
  readonly worse: number;
  readonly delong_p?: number;
}

/** Which model of which features. */
export interface CohortModel {
  readonly source?: string;
  readonly model: string;
}

/** A run of training on a fold. */
export interface CohortRun {
  readonly source: string;
  readonly model: string;
  readonly label: string;
  readonly fold: string;
  readonly seed?: number;
  /** Below the folder of the result. */
  readonly folder: string;
}

/** The content of the file. */
export interface CohortEvidence {
  /** Features, split, seed and device. */
  readonly made_of?: string;
  readonly kind: "classification" | "survival" | "regression";
  readonly classes?: readonly string[];
  readonly targets?: readonly string[];
  readonly units: number;
  readonly cases: number;
  readonly cases_tested: number;
  readonly slides: number;
  readonly events?: number;
  readonly intervals: string;
  readonly folds: readonly CohortFold[];
  readonly rows: readonly CohortRow[];
  readonly differences: readonly CohortDifference[];
  readonly runs?: readonly CohortRun[];
  readonly warnings?: readonly string[];
  readonly notes?: readonly string[];
}

const number = nullable(real);

const estimate = {
  value: number,
  se: optional(real),
  low: optional(real),
  high: optional(real),
  reason: optional(text),
};

const model: Check<CohortModel> = object<CohortModel>({ source: optional(text), model: text });

const scoreOrName: Check<number | string | null> = (value, place) =>
  typeof value === "string" ? value : number(value, place);

const row: Check<CohortRow> = object<CohortRow>({
  source: optional(text),
  model: text,
  label: text,
  note: optional(text),
  scores: record(object<CohortEstimate>(estimate)),
  folds: list(record(scoreOrName)),
  seeds: optional(list(list(record(scoreOrName)))),
});

const fold: Check<CohortFold> = object<CohortFold>({
  name: text,
  train: count,
  test: count,
  judged: flag,
  problems: optional(list(text)),
});

const difference: Check<CohortDifference> = object<CohortDifference>({
  ...estimate,
  a: model,
  b: model,
  score: text,
  folds: count,
  better: count,
  worse: count,
  delong_p: optional(real),
});

const run: Check<CohortRun> = object<CohortRun>({
  source: text,
  model: text,
  label: text,
  fold: text,
  seed: optional(count),
  folder: text,
});

const fields: Check<CohortEvidence> = object<CohortEvidence>({
  made_of: optional(text),
  kind: oneOf("classification", "survival", "regression"),
  classes: optional(list(text)),
  targets: optional(list(text)),
  units: count,
  cases: count,
  cases_tested: count,
  slides: count,
  events: optional(count),
  intervals: text,
  folds: list(fold),
  rows: list(row),
  differences: list(difference),
  runs: optional(list(run)),
  warnings: optional(list(text)),
  notes: optional(list(text)),
});

/** The file, with a row of scores a judged fold, and folders that lie below it. */
export const cohortEvidence: Check<CohortEvidence> = (value, place) => {
  const found = fields(value, place);
  const judged = found.folds.filter((one) => one.judged).map(({ name }) => name);
  found.rows.forEach((one, i) => {
    const names = one.folds.map((scores) => scores["fold"]);
    if (names.join("\n") !== judged.join("\n")) {
      place.fail(`rows[${i}].folds`, names.join(", ") || "none", judged.join(", ") || "none");
    }
  });
  found.runs?.forEach(({ folder }, i) => {
    const inside = !/^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)/.test(folder);
    if (!inside) place.fail(`runs[${i}].folder`, folder, "a folder below the result's");
  });
  return found;
};
