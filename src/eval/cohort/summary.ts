/**
 * Scores over the folds of a cohort, with intervals, and paired differences.
 *
 * Several folds: mean, population deviation and its standard error. Folds share training cases and often test cases, so that
 * this error is none for new patients. The interval is of a bootstrap over test cases: every draw takes cases with
 * replacement, scores them in each fold that tests them, and averages over folds, with the fitted models as they are; the same
 * draws for all models, so that differences are paired.
 *
 * @module
 */

import { resamples } from "../bootstrap.ts";
import { classColumn, deLong } from "../classification.ts";
import { LEAST_UNITS, noInterval } from "../paired.ts";
import { deviation, mean, percentile } from "../linalg/statistics.ts";
import type { Cohort } from "./cohort.ts";
import { type FoldTruth, LESS_IS_BETTER, SCORES, type Scores, scoresOf } from "./scores.ts";

const [LOW, HIGH] = [2.5, 97.5];
/** Scores without an interval: drawing cases again lowers the variance that R2 divides by. */
const BIASED: ReadonlySet<string> = new Set(["r2"]);

/** A fold that can be judged. */
export interface JudgedFold {
  readonly name: string;
  readonly test: readonly number[];
  readonly truth: FoldTruth;
}

/** A model with its outputs in each fold. */
export interface Judged {
  readonly outputs: readonly Float64Array[];
}

/** A score over the folds. */
export interface Estimate {
  /** Mean over the folds that define it; null where none does. */
  readonly value: number | null;
  readonly folds: number;
  /** Population deviation over folds and its standard error, of two folds or more. */
  readonly std?: number;
  readonly se?: number;
  /** Percentile interval over test cases, 95 %. */
  readonly low?: number;
  readonly high?: number;
  /** Mean of the draws that define the score, and how many do not. */
  readonly draws_mean?: number;
  readonly draws?: number;
  readonly draws_undefined?: number;
  /** Why something is missing. */
  readonly reason?: string;
}

/** A difference of two models on the same folds and cases. */
export interface Difference extends Omit<Estimate, "draws_mean" | "std"> {
  readonly by_fold: readonly (number | null)[];
  /** Folds in which the first is better, and worse. */
  readonly better: number;
  readonly worse: number;
  readonly delong_p?: number;
}

/** What was computed of one model. */
export interface JudgedScores {
  /** Scores of each fold; of several seeds their mean. */
  readonly folds: readonly Scores[];
  /** Scores of each fold by seed, of a model that was trained from several. */
  readonly seeds?: readonly (readonly Scores[])[] | undefined;
  /** By score: its value in every draw; null where a draw does not define it. */
  readonly draws: Readonly<Record<string, readonly (number | null)[]>>;
  readonly outputs: readonly Float64Array[];
}

/** Mean of values; null where one is. */
function meanOrNull(values: readonly (number | null | undefined)[]): number | null {
  const known = values.flatMap((value) => value ?? []);
  return known.length < values.length ? null : mean(known);
}

/** One model from several seeds: the mean of its scores, fold by fold and draw by draw, and of what it says. */
export function overSeeds(judged: readonly JudgedScores[]): JudgedScores {
  const [first] = judged as [JudgedScores];
  if (judged.length === 1) return first;
  const names = Object.keys(first.draws);
  return {
    folds: first.folds.map((_, f) =>
      Object.fromEntries(names.map((name) => [name, meanOrNull(judged.map(({ folds }) => folds[f]![name]))]))
    ),
    seeds: judged.map(({ folds }) => folds),
    draws: Object.fromEntries(
      names.map((
        name,
      ) => [name, first.draws[name]!.map((_, d) => meanOrNull(judged.map(({ draws }) => draws[name]![d])))]),
    ),
    outputs: first.outputs.map((output, f) => output.map((_, i) => mean(judged.map(({ outputs }) => outputs[f]![i]!)))),
  };
}

/** Draws of test cases, and the positions that each takes of every fold. */
export class CaseDraws {
  readonly cases: number;
  readonly #places: readonly (readonly number[][])[];

  constructor(
    { units }: Pick<Cohort, "units">,
    readonly folds: readonly JudgedFold[],
    readonly draws = 100,
    readonly seed = 0,
  ) {
    const names = [...new Set(folds.flatMap(({ test }) => test.map((u) => units[u]!.case)))];
    this.cases = names.length;
    const at = new Map(names.map((name, i) => [name, i]));
    this.#places = folds.map(({ test }) => {
      const own = names.map(() => [] as number[]);
      test.forEach((u, position) => own[at.get(units[u]!.case)!]!.push(position));
      return own;
    });
  }

  /** Scores a model in every fold and every draw. */
  judge({ outputs }: Judged): JudgedScores {
    const all = this.folds.map(({ test, truth }, f) => scoresOf(truth, outputs[f]!, [...test.keys()]));
    const names = this.folds.length === 0 ? [] : SCORES[this.folds[0]!.truth.kind];
    const draws = Object.fromEntries(names.map((name) => [name, [] as (number | null)[]]));
    if (this.cases >= LEAST_UNITS) {
      for (const drawn of resamples(this.cases, { draws: this.draws, seed: this.seed })) {
        const scores = this.folds.map(({ truth }, f) => {
          const at = [...drawn].flatMap((i) => this.#places[f]![i]!);
          return at.length === 0 ? {} : scoresOf(truth, outputs[f]!, at);
        });
        for (const name of names) {
          const known = scores.flatMap((one) => one[name] ?? []);
          draws[name]!.push(known.length === 0 ? null : mean(known));
        }
      }
    }
    return { folds: all, draws, outputs };
  }

  /** A score of a model. */
  estimate(name: string, { folds, draws }: JudgedScores): Estimate {
    const known = folds.flatMap((scores) => scores[name] ?? []);
    if (known.length === 0) return { value: null, folds: 0, reason: "no fold defines it" };
    const std = deviation(known);
    const drawn = draws[name]!.filter((value) => value !== null);
    return {
      value: mean(known),
      folds: known.length,
      ...(known.length > 1 && { std, se: std / Math.sqrt(known.length) }),
      ...this.#interval(name, drawn),
      ...(drawn.length > 0 && !BIASED.has(name) && { draws_mean: mean(drawn) }),
      ...(known.length < folds.length &&
        { reason: `${folds.length - known.length} of ${folds.length} folds do not define it` }),
    };
  }

  #interval(name: string, drawn: readonly number[]): Partial<Estimate> {
    if (BIASED.has(name)) return { reason: "drawing cases again lowers the variance it divides by: no interval" };
    if (this.cases < LEAST_UNITS) return { reason: noInterval({ count: this.cases, name: "cases" }) };
    if (drawn.length === 0) return {};
    const [low, high] = [percentile(drawn, LOW), percentile(drawn, HIGH)];
    return { low, high, draws: this.draws, draws_undefined: this.draws - drawn.length };
  }

  /** What the first has more than the second. */
  difference(name: string, a: JudgedScores, b: JudgedScores): Difference {
    const by_fold = a.folds.map((scores, f) => {
      const [x, y] = [scores[name] ?? null, b.folds[f]![name] ?? null];
      return x === null || y === null ? null : x - y;
    });
    const known = by_fold.filter((value) => value !== null);
    const sign = LESS_IS_BETTER.has(name) ? -1 : 1;
    const drawn = (a.draws[name] ?? []).flatMap((x, d) => {
      const y = b.draws[name]![d]!;
      return x === null || y === null ? [] : [x - y];
    });
    return {
      value: known.length === 0 ? null : mean(known),
      folds: known.length,
      by_fold,
      better: known.filter((value) => sign * value > 0).length,
      worse: known.filter((value) => sign * value < 0).length,
      ...(known.length > 1 && { se: deviation(known) / Math.sqrt(known.length) }),
      ...(known.length > 0 && this.#interval(name, drawn)),
      ...this.#deLong(name, a, b),
    };
  }

  /** DeLong's test, of a single fold with two classes whose units are all of different cases. */
  #deLong(name: string, a: JudgedScores, b: JudgedScores): { delong_p?: number } {
    const [fold] = this.folds;
    if (name !== "auc" || this.folds.length !== 1 || fold!.truth.kind !== "classification") return {};
    const { labels, classes } = fold!.truth;
    if (classes !== 2 || labels.length !== this.cases) return {};
    const positive = ({ outputs: [probabilities] }: JudgedScores) =>
      classColumn({ labels, classes, probabilities: probabilities! }, 1);
    const p = deLong(labels, positive(a), positive(b))?.p;
    return typeof p === "number" ? { delong_p: p } : {};
  }
}
