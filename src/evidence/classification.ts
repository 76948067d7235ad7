/**
 * How well cases were classified on held-out folds, from labels and probabilities alone: scores with intervals, differences
 * from baselines on the same cases, and a table of what was said of each case.
 *
 * One fold has percentile intervals of a bootstrap over its patients; several have mean and standard error over folds, which
 * share training cases (and often test cases), so that it is no interval for new patients and none is given.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { summarizeDraws } from "../eval/bootstrap.ts";
import {
  aucPerClass,
  checkClassified,
  classColumn,
  type Classified,
  confusionMatrix,
  deLong,
  predictedClasses,
} from "../eval/classification.ts";
import { CaseDraws, type JudgedScores } from "../eval/cohort/summary.ts";
import { LEAST_UNITS, noInterval } from "../eval/paired.ts";
import { deviation, mean } from "../eval/linalg/statistics.ts";
import { csvLine } from "../io/csv.ts";
import {
  CLASSIFICATION_SCORES,
  type ClassificationDifference,
  type ClassificationEstimate,
  type ClassificationFold,
  type ClassificationResults,
  type ClassificationScore,
  type FoldScores,
  type Predictor,
} from "../report/classification_evidence.ts";
import { EVIDENCE } from "../report/run_evidence.ts";

const LEVEL = 0.95;
/** Draws of the intervals of one fold, as slide-level benchmarks take. */
const DRAWS = 100;

/** A case of a part of a fold. */
export interface JudgedCase {
  readonly id: string;
  /** Who it is of; the case itself where patients are not named. */
  readonly patient?: string;
  readonly slides: readonly string[];
  /** Index of its class. */
  readonly label: number;
}

/** A fold with its cases. */
export interface JudgedFold {
  readonly name: string;
  readonly train: readonly JudgedCase[];
  readonly val?: readonly JudgedCase[];
  readonly test: readonly JudgedCase[];
}

/** What a predictor says of the test cases of each fold. */
export interface JudgedPredictor extends Pick<Predictor, "id" | "label" | "role" | "note"> {
  /** A fold each: `[test cases, classes]`. */
  readonly probabilities: readonly ArrayLike<number>[];
}

/** What is judged. */
export interface JudgedClassification
  extends Pick<ClassificationResults, "task" | "classes" | "ordinal" | "unit" | "features"> {
  readonly folds: readonly JudgedFold[];
  /** Those trained and their baselines, at least {@linkcode majorityClass}. */
  readonly predictors: readonly JudgedPredictor[];
}

/** The part of the results, and the content of `evaluation/cases.csv`. */
export interface MadeClassification {
  readonly classification: ClassificationResults;
  readonly files: ReadonlyMap<string, string>;
}

/**
 * Judges predictors.
 *
 * @throws {ShapeError} If probabilities do not fit the cases.
 */
export function classificationOf(judged: JudgedClassification): MadeClassification {
  const { task, classes, ordinal, unit, features, folds, predictors } = judged;
  const by = drawsOf(folds, classes.length);
  const tables = predictors.map(({ id, probabilities }): Judged => {
    if (probabilities.length !== folds.length) {
      throw new ShapeError(
        `Cannot judge ${id}: probabilities of ${probabilities.length} folds, ${folds.length} wanted`,
      );
    }
    const tables = folds.map(({ test }, f) => {
      const labels = test.map(({ label }) => label);
      const of = { labels, probabilities: Float64Array.from(probabilities[f]!), classes: classes.length };
      checkClassified(of);
      return of;
    });
    return { tables, scores: by.judge({ outputs: tables.map(({ probabilities }) => probabilities) }) };
  });
  const cases = folds.flatMap(({ train, val = [], test }) => [...train, ...val, ...test]);
  const tested = folds.flatMap(({ test }) => [...new Set(test.map(({ id }) => id))]);
  const times = Map.groupBy(tested, (id) => id);
  const scored = predictors.map(({ id, label, role, note }, p): Predictor => {
    const own = folds.map(({ name }, f) => foldScores(name, tables[p]!, f, judged));
    return {
      id,
      label,
      role,
      ...(note === undefined ? {} : { note }),
      scores: Object.fromEntries(
        scoresOf(ordinal).map((score) => [score, estimate(score, own, tables[p]!.scores, folds)]),
      ),
      folds: own,
    };
  });
  return {
    classification: {
      task,
      classes,
      ordinal,
      unit,
      cases: new Set(cases.map(({ id }) => id)).size,
      patients: new Set(cases.map(patientOf)).size,
      slides: new Set(cases.flatMap(({ slides }) => slides)).size,
      ...(features === undefined ? {} : { features }),
      folds: folds.map((fold) => foldFacts(fold, classes.length)),
      overlap: [...times.values()].filter((one) => one.length > 1).length,
      predictors: scored,
      differences: differencesOf(scored, tables, folds),
      predictions: EVIDENCE.cases,
    },
    files: new Map([[EVIDENCE.cases, caseTable(judged)]]),
  };
}

/** The baseline that says of each case how frequent the classes are in training. */
export function majorityClass(folds: readonly JudgedFold[], classes: number): JudgedPredictor {
  return {
    id: "majority",
    label: "Majority class",
    role: "baseline",
    note: "says the most frequent class of the training cases of every case",
    probabilities: folds.map(({ train, test }) => {
      const counts = countClasses(train, classes);
      return test.flatMap(() => counts.map((count) => train.length === 0 ? 1 / classes : count / train.length));
    }),
  };
}

function patientOf({ id, patient }: JudgedCase): string {
  return patient ?? id;
}

function countClasses(cases: readonly JudgedCase[], classes: number): number[] {
  return Array.from({ length: classes }, (_, k) => cases.filter(({ label }) => label === k).length);
}

function foldFacts({ name, train, val, test }: JudgedFold, classes: number): ClassificationFold {
  return {
    name,
    train: train.length,
    ...(val === undefined || val.length === 0 ? {} : { val: val.length }),
    test: test.length,
    test_patients: new Set(test.map(patientOf)).size,
    train_classes: countClasses(train, classes),
    test_classes: countClasses(test, classes),
  };
}

function scoresOf(ordinal: boolean): ClassificationScore[] {
  return CLASSIFICATION_SCORES.filter((score) => ordinal || score !== "kappa");
}

/** What is said of the test cases of each fold, and its scores. */
interface Judged {
  readonly tables: readonly Classified[];
  readonly scores: JudgedScores;
}

/** The draws of one fold's patients, the same for every predictor; none over several folds. */
function drawsOf(folds: readonly JudgedFold[], classes: number): CaseDraws {
  const units = folds.flatMap(({ test }) =>
    test.map((one) => ({ name: one.id, case: patientOf(one), slides: one.slides }))
  );
  let at = 0;
  const judged = folds.map(({ name, test }) => ({
    name,
    test: test.map(() => at++),
    truth: { kind: "classification", labels: test.map(({ label }) => label), classes } as const,
  }));
  return new CaseDraws({ units }, judged, folds.length === 1 ? DRAWS : 0);
}

/** Name of a score among those of slide-level tasks: classes in an order have the kappa of their distances. */
function nameOf(score: ClassificationScore): string {
  return score === "kappa" ? "weighted_kappa" : score;
}

function foldScores(
  fold: string,
  { tables, scores }: Judged,
  f: number,
  { ordinal, classes }: JudgedClassification,
): FoldScores {
  const of = tables[f]!;
  const missing = classes.filter((_, k) => !of.labels.includes(k));
  return {
    fold,
    scores: Object.fromEntries(scoresOf(ordinal).map((score) => [score, scores.folds[f]![nameOf(score)]!])),
    auc_per_class: aucPerClass(of),
    confusion: confusionMatrix(of.labels, predictedClasses(of), of.classes),
    ...(missing.length === 0 ? {} : { reason: `no test case of ${missing.join(", ")}` }),
  };
}

/** What is independent among the test cases, and how many. */
function unitsOf({ test }: JudgedFold): { readonly units: number; readonly over: "cases" | "patients" } {
  const units = new Set(test.map(patientOf)).size;
  return { units, over: units === test.length ? "cases" : "patients" };
}

function estimate(
  score: ClassificationScore,
  own: readonly FoldScores[],
  { draws }: JudgedScores,
  folds: readonly JudgedFold[],
): ClassificationEstimate {
  const why = own.flatMap(({ reason }) => reason ?? [])[0] ?? "no test case";
  if (folds.length === 1) {
    const { units, over } = unitsOf(folds[0]!);
    const value = own[0]!.scores[score] ?? null;
    const head = { value, over, units };
    if (value === null) return { ...head, reason: why };
    if (units < LEAST_UNITS) return { ...head, reason: noInterval({ count: units, name: over }) };
    const draw = summarizeDraws(draws[nameOf(score)]!, LEVEL);
    return {
      ...head,
      draws: draw.draws,
      ...(draw.undefinedDraws > 0 ? { draws_undefined: draw.undefinedDraws } : {}),
      ...(draw.mean === null ? {} : { draws_mean: draw.mean }),
      ...(draw.interval && { low: draw.interval[0], high: draw.interval[1], level: LEVEL }),
    };
  }
  const known = own.flatMap(({ scores }) => scores[score] ?? []);
  const head = { over: "folds" as const, units: known.length };
  if (known.length === 0) return { ...head, value: null, reason: why };
  const std = deviation(known);
  return {
    ...head,
    value: mean(known),
    ...(known.length > 1 ? { std, se: std / Math.sqrt(known.length) } : {}),
    ...(known.length < own.length ? { reason: `${own.length - known.length} of ${own.length} folds: ${why}` } : {}),
  };
}

function differencesOf(
  predictors: readonly Predictor[],
  judged: readonly Judged[],
  folds: readonly JudgedFold[],
): ClassificationDifference[] {
  const of = (role: Predictor["role"]) =>
    predictors.flatMap((one, p) => one.role === role ? [{ one, judged: judged[p]! }] : []);
  return of("trained").flatMap((a) =>
    of("baseline").flatMap((b) =>
      CLASSIFICATION_SCORES.flatMap((score) => {
        const each = folds.map((_, f) => {
          const [x, y] = [a.one.folds[f]!.scores[score], b.one.folds[f]!.scores[score]];
          return typeof x === "number" && typeof y === "number" ? x - y : null;
        });
        const known = each.filter((value) => value !== null);
        if (known.length === 0) return [];
        const head = { score, predictor: a.one.id, baseline: b.one.id, value: mean(known) };
        return [
          folds.length === 1
            ? { ...head, ...oneFold(score, [a.judged, b.judged], folds[0]!) }
            : { ...head, ...overFolds(each, known) },
        ];
      })
    )
  );
}

function oneFold(
  score: ClassificationScore,
  [a, b]: readonly [Judged, Judged],
  fold: JudgedFold,
): Partial<ClassificationDifference> {
  const { units, over } = unitsOf(fold);
  if (units < LEAST_UNITS) return { reason: noInterval({ count: units, name: over }) };
  const drawn = [a, b].map(({ scores }) => scores.draws[nameOf(score)]!);
  const { interval } = summarizeDraws(
    drawn[0]!.map((x, d) => x === null || drawn[1]![d] === null ? null : x - drawn[1]![d]!),
    LEVEL,
  );
  const [said, other] = [a.tables[0]!, b.tables[0]!];
  const test = score === "auc" && said.classes === 2 && over === "cases"
    ? deLong(said.labels, classColumn(said, 1), classColumn(other, 1))
    : undefined;
  return {
    ...(interval && { low: interval[0], high: interval[1], level: LEVEL }),
    ...(test && { delong_se: test.se, ...(test.p === null ? {} : { delong_p: test.p }) }),
  };
}

function overFolds(each: readonly (number | null)[], known: readonly number[]): Partial<ClassificationDifference> {
  return {
    by_fold: each,
    ...(known.length > 1 ? { se: deviation(known) / Math.sqrt(known.length) } : {}),
    better: known.filter((value) => value > 0).length,
    worse: known.filter((value) => value < 0).length,
  };
}

/** A line a predictor, fold and test case. */
function caseTable({ folds, predictors, classes }: JudgedClassification): string {
  const lines = predictors.flatMap(({ id: predictor, probabilities }) =>
    folds.flatMap(({ name, test }, f) => {
      const table = {
        labels: test.map(({ label }) => label),
        probabilities: probabilities[f]!,
        classes: classes.length,
      };
      const said = predictedClasses(table);
      return test.map((one, row) => {
        const own = classes.map((_, k) => Number(table.probabilities[row * classes.length + k]!.toPrecision(7)));
        return csvLine([predictor, name, one.id, patientOf(one), classes[one.label]!, classes[said[row]!]!, ...own]);
      });
    })
  );
  const head = ["predictor", "fold", "case", "patient", "label", "predicted", ...classes.map((name) => `p_${name}`)];
  return csvLine(head) + lines.join("");
}
