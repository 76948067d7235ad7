/**
 * Several encoders on the same tasks, side by side: averages, and paired differences to the first.
 *
 * @module
 */

import type { TaskResult } from "./hest_bench.ts";
import { type Paired, paired } from "./paired.ts";
import { mean } from "./statistics.ts";

/** A paired difference: `b` less `a`. */
export interface Comparison {
  readonly a: string;
  readonly b: string;
  /** Name of the task, or `all`. */
  readonly task: string;
  readonly metric: "pearson" | "pearson_per_slide";
  /** What the pairs are: folds, or genes where there is a single fold. */
  readonly over: "folds" | "genes";
  readonly paired: Paired;
}

/** Mean over tasks, each counting once; undefined where a task is missing. */
export function average(
  results: readonly TaskResult[],
  tasks: readonly string[],
  of: "pearson" | "slidePearson",
): number | undefined {
  const values = tasks.map((task) => results.find((result) => result.task === task)?.[of].mean);
  return values.some((value) => value === undefined) ? undefined : mean(values as number[]);
}

/** Everything compared with the first encoder, task by task and over all folds together. */
export function compare(results: readonly TaskResult[]): Comparison[] {
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
  readonly own: TaskResult;
  readonly other: TaskResult;
}

const foldsOf = (result: TaskResult, metric: Comparison["metric"]): readonly number[] =>
  (metric === "pearson" ? result.pearson : result.slidePearson).values;

/** Scores of the genes of a single fold; per slide, each gene's mean over slides. */
function genesOf({ folds }: TaskResult, metric: Comparison["metric"]): number[] {
  const { perGene, perSlide } = folds[0]!.result;
  return perGene.map(({ pearson }, j) =>
    metric === "pearson" ? pearson ?? 0 : mean(perSlide.map((slide) => slide.pearson[j] ?? 0))
  );
}

function single(own: TaskResult, other: TaskResult, metric: Comparison["metric"]): Comparison {
  const over = own.folds.length > 1 ? "folds" : "genes";
  const values = (of: TaskResult) => over === "folds" ? foldsOf(of, metric) : genesOf(of, metric);
  return { a: own.encoder, b: other.encoder, task: own.task, metric, over, paired: paired(values(own), values(other)) };
}

function allFolds(a: string, b: string, pairs: readonly Pair[], metric: Comparison["metric"]): Comparison {
  const values = (side: keyof Pair) => pairs.flatMap((pair) => foldsOf(pair[side], metric));
  return { a, b, task: "all", metric, over: "folds", paired: paired(values("own"), values("other")) };
}
