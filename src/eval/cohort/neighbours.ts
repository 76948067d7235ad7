/**
 * Retrieval of slides or cases: whether the training units whose mean vectors are nearest to a test unit's are of its class.
 *
 * Distances are Euclidean, of equal ones the first unit is nearer.
 *
 * Source: Patho-Bench's retrieval; scores of {@linkcode neighbourVotes}.
 *
 * @module
 */

import { alignRows } from "../../core/text_table.ts";
import { neighbourVotes } from "../classification.ts";
import { deviation, mean } from "../linalg/statistics.ts";
import { takeRows } from "../linalg/table.ts";
import type { Cohort, CohortSource } from "./cohort.ts";
import type { JudgedFold } from "./summary.ts";

/** Neighbours that are looked at. */
const KS: readonly number[] = [1, 3, 5, 10];

/** A score over the folds that have as many training units. */
export interface NeighbourEstimate {
  readonly value: number;
  /** Population deviation over folds, divided by the root of their number. */
  readonly se?: number;
  readonly folds: readonly (number | null)[];
}

/** What neighbours say, of one k. */
export interface NeighbourScores {
  readonly source: string;
  readonly k: number;
  /** Share of queries with their class among the k; with the most votes; mean average precision. */
  readonly any: NeighbourEstimate;
  readonly vote: NeighbourEstimate;
  readonly mean_average_precision: NeighbourEstimate;
}

/** Scores the neighbours of a classification; none of other tasks. */
export function neighbourScores(
  { targets, folds: all }: Cohort,
  sources: readonly CohortSource[],
  judged: readonly JudgedFold[],
): NeighbourScores[] {
  if (targets.kind !== "classification") return [];
  const { labels } = targets;
  return sources.flatMap(({ name: source, x }) => {
    const near = judged.map(({ name, test }) => {
      const { train } = all.find((fold) => fold.name === name)!;
      const gallery = takeRows(x, train);
      return test.map((u) =>
        nearest(x.data.subarray(u * x.columns, (u + 1) * x.columns), gallery.data).map((i) => train[i]!)
      );
    });
    return KS.flatMap((k): NeighbourScores[] => {
      const votes = judged.map(({ test }, f) =>
        near[f]!.some((units) => units.length < k)
          ? null
          : neighbourVotes(test.map((u) => labels[u]!), near[f]!.map((units) => units.map((u) => labels[u]!)), k)
      );
      if (votes.every((one) => one === null)) return [];
      const estimate = (of: "any" | "vote" | "meanAveragePrecision"): NeighbourEstimate => {
        const folds = votes.map((one) => one?.[of] ?? null);
        const known = folds.filter((value) => value !== null);
        return {
          value: mean(known),
          ...(known.length > 1 && { se: deviation(known) / Math.sqrt(known.length) }),
          folds,
        };
      };
      return [{
        source,
        k,
        any: estimate("any"),
        vote: estimate("vote"),
        mean_average_precision: estimate("meanAveragePrecision"),
      }];
    });
  });
}

/** Rows of a gallery by their distance, the nearest first, as many as are looked at. */
function nearest(query: ArrayLike<number>, gallery: ArrayLike<number>): number[] {
  const width = query.length;
  const rows = gallery.length / width;
  const distance = Float64Array.from({ length: rows }, (_, r) => {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += (gallery[r * width + j]! - query[j]!) ** 2;
    return sum;
  });
  return [...distance.keys()].sort((a, b) => distance[a]! - distance[b]! || a - b).slice(0, KS.at(-1)!);
}

/** Lines for the terminal. */
export function neighbourText(scores: readonly NeighbourScores[]): string[] {
  if (scores.length === 0) return [];
  const text = ({ value, se }: NeighbourEstimate) => value.toFixed(3) + (se === undefined ? "" : ` ± ${se.toFixed(3)}`);
  return [
    "",
    "Nearest training units by the mean of the tiles",
    ...alignRows([
      ["encoder", "k", "class among them", "class by vote", "mean average precision"],
      ...scores.map(({ source, k, any, vote, mean_average_precision }) => [
        source,
        String(k),
        text(any),
        text(vote),
        text(mean_average_precision),
      ]),
    ]),
  ];
}
