/**
 * Scores of classifiers, as scikit-learn defines them: areas under curves, agreement of predicted with true classes, and votes of
 * nearest neighbours. Probabilities are `[cases, classes]`, row by row; labels are indices of classes.
 *
 * A score that a set of cases does not define, as the area under a curve of one class, is null.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import { ranks } from "./correlation.ts";
import { mean } from "./linalg/statistics.ts";

/** Labels and what was said of the same cases. */
export interface Classified {
  /** Index of each case's class. */
  readonly labels: readonly number[];
  /** `[cases, classes]`; only their order within a class and within a case counts. */
  readonly probabilities: ArrayLike<number>;
  readonly classes: number;
}

/**
 * Refuses labels and probabilities that do not belong together.
 *
 * @throws {ShapeError} Naming the extent or the first case that is wrong.
 */
export function checkClassified({ labels, probabilities, classes }: Classified): void {
  const refuse = (given: string, wanted: string) => {
    throw new ShapeError(`Cannot score a classification: ${given}, ${wanted} wanted`, { context: { given, wanted } });
  };
  if (!Number.isInteger(classes) || classes < 2) refuse(`${classes} classes`, "at least 2");
  if (probabilities.length !== labels.length * classes) {
    refuse(`${probabilities.length} probabilities of ${labels.length} cases`, `${labels.length * classes}`);
  }
  labels.forEach((label, i) => {
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      refuse(`label ${label} of case ${i}`, `0 to ${classes - 1}`);
    }
  });
  for (let i = 0; i < probabilities.length; i++) {
    if (!Number.isFinite(probabilities[i]!)) {
      refuse(`${probabilities[i]} of case ${Math.floor(i / classes)}`, "a finite number");
    }
  }
}

/** Probabilities of one class. */
export function classColumn({ labels, probabilities, classes }: Classified, k: number): Float64Array {
  return Float64Array.from(labels, (_, i) => probabilities[i * classes + k]!);
}

/**
 * Area under the ROC curve by ranks, ties counted half.
 *
 * @param positive 1 where a case is of the class.
 * @returns Null where all cases are of one kind.
 */
export function rocAuc(positive: ArrayLike<number | boolean>, scores: ArrayLike<number>): number | null {
  const rank = ranks(scores);
  let [sum, count] = [0, 0];
  for (let i = 0; i < rank.length; i++) {
    if (!positive[i]) continue;
    sum += rank[i]!;
    count++;
  }
  const others = rank.length - count;
  return count === 0 || others === 0 ? null : (sum - count * (count + 1) / 2) / (count * others);
}

/**
 * Average precision: precision at every threshold weighted by the recall it adds; equal scores are one threshold.
 *
 * @returns Null where no case is of the class.
 */
export function averagePrecision(positive: ArrayLike<number | boolean>, scores: ArrayLike<number>): number | null {
  const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  const total = order.filter((i) => positive[i]).length;
  if (total === 0) return null;
  let [hits, sum] = [0, 0];
  for (let from = 0; from < order.length;) {
    let to = from;
    let added = 0;
    while (to < order.length && scores[order[to]!] === scores[order[from]!]) added += positive[order[to++]!] ? 1 : 0;
    hits += added;
    sum += added * hits / to;
    from = to;
  }
  return sum / total;
}

/** Two areas under ROC curves of the same cases. */
export interface DeLong {
  /** Areas of both. */
  readonly auc: readonly [number, number];
  /** Covariance of both areas, `[2, 2]`. */
  readonly covariance: readonly [readonly [number, number], readonly [number, number]];
  /** First less second. */
  readonly difference: number;
  /** Standard error of the difference. */
  readonly se: number;
  /** Difference over its standard error, and the two-sided probability of more; null where the error is 0. */
  readonly z: number | null;
  readonly p: number | null;
}

/**
 * Compares two classifiers on the same, independent cases.
 *
 * Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
 *
 * @returns Undefined with fewer than two cases of either kind.
 */
export function deLong(
  positive: ArrayLike<number | boolean>,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): DeLong | undefined {
  const [cases, controls]: [number[], number[]] = [[], []];
  for (let i = 0; i < positive.length; i++) (positive[i] ? cases : controls).push(i);
  if (cases.length < 2 || controls.length < 2) return undefined;
  const wins = (scores: ArrayLike<number>, i: number, j: number) =>
    scores[i]! > scores[j]! ? 1 : scores[i]! === scores[j]! ? 0.5 : 0;
  const ofCases = [a, b].map((s) => cases.map((i) => mean(controls.map((j) => wins(s, i, j)))));
  const ofControls = [a, b].map((s) => controls.map((j) => mean(cases.map((i) => wins(s, i, j)))));
  const cov = (x: number, y: number) =>
    covariance(ofCases[x]!, ofCases[y]!) / cases.length + covariance(ofControls[x]!, ofControls[y]!) / controls.length;
  const auc = [mean(ofCases[0]!), mean(ofCases[1]!)] as const;
  const [aa, ab, bb] = [cov(0, 0), cov(0, 1), cov(1, 1)];
  const difference = auc[0] - auc[1];
  const se = Math.sqrt(Math.max(0, aa + bb - 2 * ab));
  const z = se === 0 ? null : difference / se;
  return {
    auc,
    covariance: [[aa, ab], [ab, bb]],
    difference,
    se,
    z,
    p: z === null ? null : 2 * normalTail(Math.abs(z)),
  };
}

/** Sample covariance. */
function covariance(x: readonly number[], y: readonly number[]): number {
  const [mx, my] = [mean(x), mean(y)];
  return x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0) / (x.length - 1);
}

/** Probability that a standard normal number exceeds `z >= 0`, by the series of erf below 3 and its continued fraction above. */
export function normalTail(z: number): number {
  const x = z / Math.SQRT2;
  if (x < 3) {
    let [term, sum] = [x, x];
    for (let n = 1; n < 200 && Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    return 0.5 - sum / Math.sqrt(Math.PI);
  }
  let fraction = x;
  for (let n = 60; n >= 1; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / (2 * Math.sqrt(Math.PI) * fraction);
}

/** Area under the ROC curve of each class against all others; null where a class has no cases, or all. */
export function aucPerClass(of: Classified): (number | null)[] {
  return Array.from(
    { length: of.classes },
    (_, k) => rocAuc(of.labels.map((label) => label === k), classColumn(of, k)),
  );
}

/** Mean of {@linkcode aucPerClass} over the classes that define it; of two classes the second's. Null where none does. */
export function macroAuc(of: Classified): number | null {
  return overClasses(of, aucPerClass(of));
}

/** Average precision of each class, averaged as {@linkcode macroAuc} is. */
export function macroAveragePrecision(of: Classified): number | null {
  return overClasses(
    of,
    Array.from(
      { length: of.classes },
      (_, k) => averagePrecision(of.labels.map((label) => label === k), classColumn(of, k)),
    ),
  );
}

function overClasses({ classes }: Classified, values: readonly (number | null)[]): number | null {
  if (classes === 2) return values[1]!;
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : mean(known);
}

/** Mean over pairs of classes of the area among their cases alone, each class's probability in turn (Hand and Till, 2001). */
export function ovoAuc(of: Classified): number | null {
  const { labels, classes } = of;
  const pairs: number[] = [];
  for (let j = 0; j < classes; j++) {
    for (let k = j + 1; k < classes; k++) {
      const rows = labels.flatMap((label, i) => label === j || label === k ? [i] : []);
      const area = (one: number) => {
        const column = classColumn(of, one);
        return rocAuc(rows.map((i) => labels[i] === one), rows.map((i) => column[i]!));
      };
      const [a, b] = [area(j), area(k)];
      if (a !== null && b !== null) pairs.push((a + b) / 2);
    }
  }
  return pairs.length === 0 ? null : mean(pairs);
}

/** The most probable class of each case, the first of equals. */
export function predictedClasses({ labels, probabilities, classes }: Classified): number[] {
  return labels.map((_, i) => {
    let best = 0;
    for (let k = 1; k < classes; k++) {
      if (probabilities[i * classes + k]! > probabilities[i * classes + best]!) best = k;
    }
    return best;
  });
}

/** Cases by true class (row) and predicted class (column). */
export function confusionMatrix(labels: readonly number[], predicted: readonly number[], classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  labels.forEach((label, i) => counts[label]![predicted[i]!]!++);
  return counts;
}

type Confusion = readonly (readonly number[])[];

const rowSum = (confusion: Confusion, k: number) => confusion[k]!.reduce((a, b) => a + b, 0);
const columnSum = (confusion: Confusion, k: number) => confusion.reduce((sum, row) => sum + row[k]!, 0);

/** Mean recall of the classes that have cases; null where there are none. */
export function balancedAccuracy(confusion: Confusion): number | null {
  const recalls = confusion.flatMap((row, k) => rowSum(confusion, k) > 0 ? [row[k]! / rowSum(confusion, k)] : []);
  return recalls.length === 0 ? null : mean(recalls);
}

/** F1 of the classes that are true or predicted of a case: their mean, and their mean weighted by cases. */
export function f1Scores(confusion: Confusion): { readonly macro: number | null; readonly weighted: number | null } {
  const scores = confusion.flatMap((row, k) => {
    const [cases, said] = [rowSum(confusion, k), columnSum(confusion, k)];
    return cases + said === 0 ? [] : [{ f1: 2 * row[k]! / (cases + said), cases }];
  });
  if (scores.length === 0) return { macro: null, weighted: null };
  const all = scores.reduce((sum, { cases }) => sum + cases, 0);
  return {
    macro: mean(scores.map(({ f1 }) => f1)),
    weighted: scores.reduce((sum, { f1, cases }) => sum + f1 * cases, 0) / all,
  };
}

/** How far two classes are from each other: all the same, by their places, by their squares. */
export type KappaWeights = "none" | "linear" | "quadratic";

/**
 * Cohen's kappa. Distances are between indices of all classes, so that one without cases keeps its place, where scikit-learn
 * closes the gap. Null where true and predicted are one and the same class throughout.
 */
export function cohenKappa(confusion: Confusion, weights: KappaWeights = "none"): number | null {
  const classes = confusion.length;
  const rows = confusion.map((_, k) => rowSum(confusion, k));
  const columns = confusion.map((_, k) => columnSum(confusion, k));
  const all = rows.reduce((sum, count) => sum + count, 0);
  let [observed, expected] = [0, 0];
  for (let j = 0; j < classes; j++) {
    for (let k = 0; k < classes; k++) {
      const weight = weights === "none" ? Number(j !== k) : weights === "linear" ? Math.abs(j - k) : (j - k) ** 2;
      observed += weight * confusion[j]![k]!;
      expected += weight * rows[j]! * columns[k]! / all;
    }
  }
  return expected > 0 ? 1 - observed / expected : null;
}

/** What neighbours say of their queries, of the k nearest. */
export interface NeighbourVotes {
  readonly k: number;
  /** Share of queries with their label among the k. */
  readonly any: number;
  /** Share whose label has the most votes; a tie that contains it counts. */
  readonly vote: number;
  /** Mean over queries of the precisions at their hits, summed and divided by k. */
  readonly meanAveragePrecision: number;
}

/**
 * Votes of the nearest neighbours.
 *
 * @param neighbours Labels of each query's neighbours, the nearest first.
 * @throws {ShapeError} If a query has fewer than k.
 */
export function neighbourVotes(
  labels: readonly number[],
  neighbours: readonly (readonly number[])[],
  k: number,
): NeighbourVotes {
  const few = neighbours.findIndex((one) => one.length < k);
  if (neighbours.length !== labels.length || labels.length === 0 || few >= 0 || !(k >= 1)) {
    const given = few >= 0 ? `${neighbours[few]!.length} of query ${few}` : `those of ${neighbours.length} queries`;
    throw new ShapeError(`Cannot count votes of neighbours: ${given}, ${k} of each of ${labels.length} queries wanted`);
  }
  const each = labels.map((label, q) => {
    const near = neighbours[q]!.slice(0, k);
    const votes = new Map<number, number>();
    let [hits, precision] = [0, 0];
    near.forEach((one, i) => {
      votes.set(one, (votes.get(one) ?? 0) + 1);
      if (one === label) precision += ++hits / (i + 1);
    });
    return { any: hits > 0, vote: hits > 0 && hits === Math.max(...votes.values()), precision: precision / k };
  });
  const share = (of: (one: (typeof each)[number]) => boolean) => each.filter(of).length / each.length;
  return {
    k,
    any: share(({ any }) => any),
    vote: share(({ vote }) => vote),
    meanAveragePrecision: mean(each.map(({ precision }) => precision)),
  };
}
