/**
 * Retrieval between patches and expression of held-out spots: in the joint space that was trained, and through the probe,
 * which the encoder has before training as well.
 *
 * @module
 */

import type { Gpu } from "../gpu/device.ts";
import { gpuRanks } from "../eval/gallery.ts";
import { type ExpressionRetrieval, expressionRetrieval } from "../eval/morphology.ts";
import type { ProbeResult } from "../eval/probe.ts";
import { cpuRanks, type RankInput } from "../eval/ranks.ts";
import { type Direction, type PoolMetrics, RECALL_AT, retrieval, rowsBySlide } from "../eval/retrieval.ts";
import { columnMoments } from "../eval/linalg/standardize.ts";
import { type Table, takeRows } from "../eval/linalg/table.ts";
import { type Difference, PROBE_SPACE, type RetrievalScores } from "../report/run_evidence.ts";
import { evenly, type EvidenceData } from "./data.ts";
import { differenceOf } from "./probe_evidence.ts";

/** Pairs from which on a pool is ranked on the device. */
const LARGE = 1500;
/** Spots of a slide that retrieval through the probe compares, at most. */
const SPOTS = 1000;

/** Embeddings of held-out spots, `[spots, width]`. */
export interface JointSpace {
  readonly image: Float32Array;
  readonly gene: Float32Array;
  readonly width: number;
}

/** Recall in the joint space within slides, and across them where there are several; both ways. */
export async function jointRetrieval(
  space: JointSpace,
  slides: readonly string[],
  gpu: Gpu,
): Promise<RetrievalScores[]> {
  const rank = (input: RankInput) =>
    input.queries.length / input.width > LARGE ? gpuRanks(gpu, input) : cpuRanks(input);
  const { within, across } = await retrieval({ ...space, slides }, { ks: RECALL_AT, rank });
  // Recall is a mean over slides, so chance is the mean of 1 / pairs.
  const sizes = Object.values(within!.bySlide).map(({ pairs }) => pairs);
  const gallery = sizes.length / sizes.reduce((sum, pairs) => sum + 1 / pairs, 0);
  const both = (pool: PoolMetrics, scope: string, size: number) =>
    (["imageToGene", "geneToImage"] as const).map((way) =>
      scoresOf(pool[way], {
        direction: way === "imageToGene" ? "i2g" : "g2i",
        scope,
        space: "joint space",
        queries: pool.pairs,
        gallery: size,
      })
    );
  return [
    ...both(within!.mean, "within slides", gallery),
    ...(sizes.length > 1 ? both(across, "across slides", across.pairs) : []),
  ];
}

type Head = Pick<RetrievalScores, "direction" | "scope" | "space" | "queries" | "gallery">;

function scoresOf(found: Pick<Direction, "recall" | "medianRank" | "reason"> & { tied?: number }, head: Head) {
  return {
    ...head,
    // Recall among fewer candidates than k says nothing.
    recall: RECALL_AT.filter((k) => k < head.gallery).map((k) => ({ k, value: found.recall[k] ?? null })),
    median_rank: found.medianRank,
    ...(found.tied === undefined ? {} : { ties: found.tied }),
    ...(found.reason === undefined ? {} : { reason: found.reason }),
  };
}

/** Rows of held-out spots that are compared: all of a slide, or as many as fit. */
function comparedRows(slides: readonly string[]): number[] {
  return [...rowsBySlide(slides).values()].flatMap((rows) => evenly(rows.length, SPOTS).map((i) => rows[i]!));
}

/** Retrieval through the probe. */
export interface ProbeRetrieval {
  readonly scores: RetrievalScores;
  /** Recall at 10 of each slide; undefined where it has none. */
  readonly bySlide: readonly (number | undefined)[];
}

/** Image to gene through a probe that predicts the compared genes. */
export function probeRetrieval(result: Pick<ProbeResult, "predictions">, data: EvidenceData): ProbeRetrieval {
  const { heldPairs, heldSlides, trainPairs, compared: { values } } = data;
  const rows = comparedRows(heldSlides);
  const predicted = takeRows(result.predictions, rows);
  const truth = takeRows(values, rows.map((row) => heldPairs[row]!));
  const trainStd = columnMoments(takeRows(values, trainPairs)).variance.map(Math.sqrt);
  const find = (of: readonly number[]): ExpressionRetrieval =>
    expressionRetrieval(takeRows(predicted, of), takeRows(truth, of), {
      slides: of.map((i) => heldSlides[rows[i]!]!),
      trainStd,
      ks: RECALL_AT,
    });
  const groups = [...rowsBySlide(rows.map((row) => heldSlides[row]!)).values()];
  const found = find(rows.map((_, i) => i));
  const chance = found.chance["1"] ?? 1;
  return {
    scores: scoresOf(found, {
      direction: "i2g",
      scope: "within slides",
      space: PROBE_SPACE,
      queries: found.spots,
      gallery: 1 / chance,
    }),
    bySlide: groups.map((of) => find(of).recall["10"] ?? undefined),
  };
}

/** What is retrieved more through the probe after training. */
export function retrievalDifferences(
  before: ProbeRetrieval,
  after: ProbeRetrieval,
  donors: number,
): Difference[] {
  const pairs = before.bySlide.flatMap((a, i) => {
    const b = after.bySlide[i];
    return a === undefined || b === undefined ? [] : [[a, b] as const];
  });
  const [a, b] = [pairs.map(([value]) => value), pairs.map(([, value]) => value)];
  return differenceOf("probe_recall_at_10_i2g", [a, b], "slides", donors);
}

/** Rows of a matrix as a table. */
export function tableOf(data: Float32Array, columns: number): Table {
  return { rows: data.length / columns, columns, data };
}
