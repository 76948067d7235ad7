/**
 * Several encoders on the same tasks, side by side: averages, and paired differences to the first.
 *
 * @module
 */

import type { ProtocolResult, TaskResult } from "./bench/hest_bench.ts";
import { type Paired, paired } from "./paired.ts";
import { mean } from "./linalg/statistics.ts";

/** What is compared, of which protocol. */
export type ComparedMetric = "pearson" | "pearson_per_slide";

/** A paired difference: `b` less `a`. */
export interface Comparison {
  readonly a: string;
  readonly b: string;
  /** Name of the task, or `all`. */
  readonly task: string;
  readonly protocol: string;
  readonly metric: ComparedMetric;
  /** What the pairs are: folds, or genes where there is a single fold. */
  readonly over: "folds" | "genes";
  /** Distinct donors that the folds test; undefined where not all are known. */
  readonly donors: number | undefined;
  readonly paired: Paired;
}

/** Mean over tasks, each counting once; undefined where a task is missing. */
export function average(
  results: readonly TaskResult[],
  tasks: readonly string[],
  of: "pearson" | "slidePearson",
  view: (result: TaskResult) => ProtocolResult = (result) => result,
): number | undefined {
  const values = tasks.map((task) => {
    const found = results.find((result) => result.task === task);
    return found && view(found)[of].mean;
  });
  return values.some((value) => value === undefined) ? undefined : mean(values as number[]);
}

/** One result by one protocol. */
interface Side extends ProtocolResult {
  readonly task: string;
  readonly encoder: string;
}

/**
 * Everything compared with the first encoder, task by task and over all folds together: by the protocol that was asked for, then
 * by that of the headline where it is another.
 */
export function compare(results: readonly TaskResult[]): Comparison[] {
  const views: ((result: TaskResult) => Side)[] = [(result) => result];
  if (results.some((result) => result.headline.protocol !== result.protocol)) {
    views.push((result) => ({ ...result.headline, task: result.task, encoder: result.encoder }));
  }
  return views.flatMap((view) => compareSides(results.map(view)));
}

function compareSides(results: readonly Side[]): Comparison[] {
  const encoders = [...Map.groupBy(results, ({ encoder }) => encoder)];
  const [first, ...others] = encoders;
  if (first === undefined) return [];
  return others.flatMap(([b, theirs]) => {
    const pairs = theirs.flatMap((other) => {
      const own = first[1].find(({ task }) => task === other.task);
      return own === undefined ? [] : [{ own, other }];
    });
    return (["pearson", "pearson_per_slide"] as const).flatMap((metric) => [
      ...pairs.map(({ own, other }) => single(own, other, metric)),
      ...(pairs.length > 1 ? [allFolds(first[0], b, pairs, metric)] : []),
    ]);
  });
}

interface Pair {
  readonly own: Side;
  readonly other: Side;
}

const foldsOf = (result: Side, metric: ComparedMetric): readonly number[] =>
  (metric === "pearson" ? result.pearson : result.slidePearson).values;

/** Scores of the genes of a single fold; per slide, each gene's mean over slides. */
function genesOf({ folds }: Side, metric: ComparedMetric): number[] {
  const { perGene, perSlide } = folds[0]!.result;
  return perGene.map(({ pearson }, j) =>
    metric === "pearson" ? pearson ?? 0 : mean(perSlide.map((slide) => slide.pearson[j] ?? 0))
  );
}

/** Donors that all folds of some results test; undefined where one is not known. */
function donorsOf(results: readonly Side[]): number | undefined {
  const tested = results.flatMap(({ folds }) => folds.flatMap((fold) => fold.tested));
  return tested.some(({ donor }) => donor === undefined) ? undefined : new Set(tested.map(({ donor }) => donor)).size;
}

/** Folds of the same donor are not independent: what an interval rests on is donors, where they are known. */
function pairedOver(a: readonly number[], b: readonly number[], over: Comparison["over"], donors: number | undefined) {
  const units = over === "folds" && donors !== undefined ? { count: donors, name: "donors" } : undefined;
  return paired(a, b, { over, units });
}

function single(own: Side, other: Side, metric: ComparedMetric): Comparison {
  const over = own.folds.length > 1 ? "folds" : "genes";
  const values = (of: Side) => over === "folds" ? foldsOf(of, metric) : genesOf(of, metric);
  const donors = donorsOf([own]);
  const { encoder: a, task, protocol } = own;
  const found = pairedOver(values(own), values(other), over, donors);
  return { a, b: other.encoder, task, protocol, metric, over, donors, paired: found };
}

function allFolds(a: string, b: string, pairs: readonly Pair[], metric: ComparedMetric): Comparison {
  const values = (side: keyof Pair) => pairs.flatMap((pair) => foldsOf(pair[side], metric));
  const donors = donorsOf(pairs.map(({ own }) => own));
  const { protocol } = pairs[0]!.own;
  const found = pairedOver(values("own"), values("other"), "folds", donors);
  return { a, b, task: "all", protocol, metric, over: "folds", donors, paired: found };
}
