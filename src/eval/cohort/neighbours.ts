/**
 * Retrieval of slides or cases: whether the training units whose mean vectors are nearest to a test unit's are of its class.
 *
 * Vectors are compared as they are by their Euclidean distance (`l2`), by their cosine (`cosine`), or by their cosine less the
 * mean of the training units (`centred`); of equal ones the first unit is nearer.
 *
 * Source: Patho-Bench's retrieval; scores of {@linkcode neighbourVotes}.
 *
 * @module
 */

import { alignRows } from "../../core/text_table.ts";
import { neighbourVotes } from "../classification.ts";
import { deviation, mean } from "../linalg/statistics.ts";
import { columnMoments } from "../linalg/standardize.ts";
import { type Table, takeRows } from "../linalg/table.ts";
import type { Cohort, CohortSource } from "./cohort.ts";
import type { JudgedFold } from "./summary.ts";

/** How vectors are compared. */
export const MEASURES = ["l2", "cosine", "centred"] as const;

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
  readonly measure: (typeof MEASURES)[number];
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
  return sources.flatMap((source) => MEASURES.flatMap((measure) => ofSource(source, measure)));

  function ofSource({ name: source, x }: CohortSource, measure: NeighbourScores["measure"]): NeighbourScores[] {
    const near = judged.map(({ name, test }) => {
      const { train } = all.find((fold) => fold.name === name)!;
      const [gallery, queries] = compared(takeRows(x, train), takeRows(x, test), measure);
      return test.map((_, i) => {
        const query = queries.data.subarray(i * x.columns, (i + 1) * x.columns);
        return nearest(query, gallery.data).map((row) => train[row]!);
      });
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
        measure,
        k,
        any: estimate("any"),
        vote: estimate("vote"),
        mean_average_precision: estimate("meanAveragePrecision"),
      }];
    });
  }
}

/** Vectors whose Euclidean distance is what is compared: the squared one of unit vectors is 2 less twice their cosine. */
function compared(gallery: Table, queries: Table, measure: NeighbourScores["measure"]): [Table, Table] {
  if (measure === "l2") return [gallery, queries];
  const { columns } = gallery;
  const centre = measure === "centred" ? columnMoments(gallery).mean : new Float64Array(columns);
  return [gallery, queries].map(({ rows, data }): Table => {
    const out = Float64Array.from(data, (value, i) => value - centre[i % columns]!);
    for (let r = 0; r < rows; r++) {
      const row = out.subarray(r * columns, (r + 1) * columns);
      const length = Math.hypot(...row);
      // A vector of length 0 has no direction: it is as far from all.
      if (length > 0) row.forEach((value, j) => row[j] = value / length);
    }
    return { rows, columns, data: out };
  }) as [Table, Table];
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
      ["encoder", "by", "k", "class among them", "class by vote", "mean average precision"],
      ...scores.map(({ source, measure, k, any, vote, mean_average_precision }) => [
        source,
        measure,
        String(k),
        text(any),
        text(vote),
        text(mean_average_precision),
      ]),
    ]),
  ];
}
