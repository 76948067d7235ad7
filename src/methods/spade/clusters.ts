/**
 * Two-stage clustering: features within each organ, then the centroids of all organs. A coarse cluster is an expert's.
 *
 * Organs are in the order of their names, and so are the fine centroids: the table from centroid to expert fits them alone.
 * Coarse clusters with fewer pairs than two batches are merged into the nearest one that has more, by their centroids.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { count } from "../../core/text_table.ts";
import { Rng, streamOf } from "../../core/rng.ts";
import { blockRows, type ClusterRows, kmeans, NearestCentroid, rowsInMemory, rowSquares } from "../../eval/kmeans.ts";
import { Silhouette } from "../../eval/silhouette.ts";
import { percentile } from "../../eval/linalg/statistics.ts";
import type { Gpu } from "../../gpu/device.ts";
import type { SpadeConfig } from "./config.ts";

/** Share of a centroid's training rows, in percent, whose distance is the farthest that is not out of distribution. */
const FARTHEST = 99;
/** Rows that a curve of inertias looks at, at most. */
const CURVE_ROWS = 20_000;
/** Rows of them that silhouettes look at, at most: all distances between them are in memory. */
const SILHOUETTE_ROWS = 2000;

/** A clustering of training pairs. */
export interface SpadeClusters {
  /** Fine centroids, `[F, dim]`. */
  readonly centroids: Float32Array<ArrayBuffer>;
  /** Organ of each. */
  readonly organs: readonly string[];
  /** Expert of each fine centroid. */
  readonly table: readonly number[];
  /** Experts, E. */
  readonly experts: number;
  /** Distance of each fine centroid beyond which a row is out of distribution. */
  readonly radius: readonly number[];
  /** Fine centroid of each training pair. */
  readonly fine: Uint32Array<ArrayBuffer>;
  /** Inertia of each organ by the number of clusters, a row and cluster. */
  readonly curves: readonly InertiaCurve[];
  /** What happened on the way, in words. */
  readonly notes: readonly string[];
}

/** Inertia by the number of clusters. */
export interface InertiaCurve {
  readonly organ: string;
  /** Rows it was measured on. */
  readonly rows: number;
  readonly clusters: readonly number[];
  readonly inertia: readonly number[];
  /** Mean silhouettes of some of the rows; runs of earlier versions have none. */
  readonly silhouette?: readonly number[];
}

/** What is clustered. */
export interface ClusterInput {
  /** Training rows, `[count, dim]`. */
  readonly features: Float32Array<ArrayBuffer>;
  readonly dim: number;
  /** Organ of each row. */
  readonly organ: readonly string[];
  /** Fewest pairs of an expert. */
  readonly least: number;
  readonly seed: number;
  readonly options: SpadeConfig["clusters"];
  readonly signal?: AbortSignal | undefined;
  readonly onOrgan?: (done: number, total: number) => void;
}

/** Rows of a table by their numbers. */
function pick(name: string, { features, dim }: ClusterInput, rows: Uint32Array): ClusterRows {
  return {
    name,
    count: rows.length,
    dim,
    read(from, to) {
      const out = new Float32Array((to - from) * dim);
      for (let r = from; r < to; r++) {
        out.set(features.subarray(rows[r]! * dim, (rows[r]! + 1) * dim), (r - from) * dim);
      }
      return out;
    },
  };
}

/** At most `most` of these rows, in their order. */
function sample(rows: Uint32Array, most: number, seed: number, name: string): Uint32Array {
  if (rows.length <= most) return rows;
  const drawn = new Rng(seed, streamOf(`rows of ${name} to cluster`)).permutation(rows.length).subarray(0, most).sort();
  return drawn.map((i) => rows[i]!);
}

/** Different rows of an organ, counted up to a number. */
function differentRows({ features, dim }: ClusterInput, rows: readonly number[], most: number): number {
  const seen = new Set<string>();
  for (const row of rows) {
    if (seen.size >= most) break;
    seen.add(features.subarray(row * dim, (row + 1) * dim).join());
  }
  return seen.size;
}

/**
 * Refuses what cannot be clustered, before a run is begun.
 *
 * @throws {DataError} If an organ has fewer different rows than clusters, or all organs fewer pairs than one expert takes.
 */
export function checkRows(input: Omit<ClusterInput, "onOrgan">): void {
  const { organ, least, options: { fine } } = input;
  if (organ.length < least) throw tooFewPairs(organ.length, least);
  for (const [name, rows] of Map.groupBy(organ.keys(), (row) => organ[row]!)) {
    const found = differentRows(input, rows, fine);
    if (found >= fine) continue;
    throw new DataError(
      `Cannot cluster ${name}: ${found} different rows of ${count(rows.length, "training row")}, expected ${fine} or ` +
        "more, as many as it is to have clusters",
      { code: "too-few-rows", hint: `fine=${found}, or fewer`, context: { name, found, expected: fine } },
    );
  }
}

function tooFewPairs(found: number, expected: number): DataError {
  return new DataError(`Cannot train experts: ${found} training pairs, expected ${expected}, two batches, or more`, {
    code: "too-few-pairs",
    hint: "Lower batch_size",
    context: { found, expected },
  });
}

/**
 * Clusters training rows.
 *
 * @throws {DataError} If an organ has fewer different rows than clusters, or all organs fewer pairs than one expert takes.
 */
export async function clusterPairs(gpu: Gpu, input: ClusterInput): Promise<SpadeClusters> {
  const { dim, organ, seed, options, signal, onOrgan } = input;
  const notes: string[] = [];
  const names = [...new Set(organ)].sort();
  const byOrgan = names.map((name) => Uint32Array.from(organ.flatMap((one, row) => (one === name ? [row] : []))));
  const fine = new Uint32Array(organ.length);
  const distance = new Float64Array(organ.length);
  const parts: Float32Array[] = [];
  const organs: string[] = [];
  const curves: InertiaCurve[] = [];
  for (const [o, name] of names.entries()) {
    const rows = byOrgan[o]!;
    const found = await clusterOrgan(gpu, name, rows, input);
    for (const { cluster, from } of found.refilled) {
      notes.push(`Cluster ${cluster} of ${name} had lost all its rows and took one of cluster ${from}`);
    }
    rows.forEach((row, i) => {
      fine[row] = organs.length + found.labels[i]!;
      distance[row] = Math.sqrt(found.distances[i]!);
    });
    parts.push(found.centroids);
    organs.push(...Array<string>(options.fine).fill(name));
    if (options.curve.length > 0) curves.push(await curveOf(gpu, name, rows, input));
    onOrgan?.(o + 1, names.length);
  }
  const centroids = new Float32Array(organs.length * dim);
  parts.forEach((part, o) => centroids.set(part, o * options.fine * dim));
  const coarse = Math.min(options.coarse, organs.length);
  if (coarse < options.coarse) {
    notes.push(`${options.coarse} coarse clusters of ${coarse} fine ones: ${coarse} are left`);
  }
  const { labels, centroids: middles } = await kmeans(gpu, rowsInMemory("the centroids", centroids, dim), {
    clusters: coarse,
    seed,
    iterations: options.cluster_iterations,
    restarts: options.cluster_restarts,
    signal,
  });
  const counts = new Float64Array(coarse);
  fine.forEach((one) => counts[labels[one]!]!++);
  const merged = merge(counts, middles, dim, input.least);
  notes.push(...merged.notes);
  const table = Array.from(labels, (label) => merged.table[label]!);
  const radius = organs.map((_, k) => {
    const own = distance.filter((_, row) => fine[row] === k);
    return own.length === 0 ? 0 : percentile(own, FARTHEST);
  });
  return { centroids, organs, table, experts: merged.experts, radius, fine, curves, notes };
}

async function clusterOrgan(gpu: Gpu, name: string, rows: Uint32Array, input: ClusterInput) {
  const { seed, options, signal, dim } = input;
  const all = pick(name, input, rows);
  const drawn = sample(rows, options.points_per_cluster * options.fine, seed, name);
  const found = await kmeans(gpu, pick(name, input, drawn), {
    clusters: options.fine,
    seed,
    iterations: options.cluster_iterations,
    restarts: options.cluster_restarts,
    signal,
  });
  if (drawn === rows) return found;
  const block = blockRows(all, options.fine, gpu);
  const nearest = await NearestCentroid.compile(gpu, { clusters: options.fine, dim, block });
  try {
    nearest.centroids = found.centroids;
    const { labels, distances } = await nearest.assign(all, await rowSquares(all, block), signal);
    return { ...found, labels, distances };
  } finally {
    nearest.destroy();
  }
}

async function curveOf(gpu: Gpu, organ: string, rows: Uint32Array, input: ClusterInput): Promise<InertiaCurve> {
  const { seed, options, signal } = input;
  const drawn = pick(organ, input, sample(rows, CURVE_ROWS, seed, organ));
  // A cluster of fewer than two rows says nothing.
  const clusters = [...new Set(options.curve)].sort((a, b) => a - b).filter((k) => 2 * k <= drawn.count);
  const inertia: number[] = [];
  const silhouette: number[] = [];
  const some = sample(Uint32Array.from({ length: drawn.count }, (_, r) => r), SILHOUETTE_ROWS, seed, `${organ}, near`);
  const seen = new Float32Array(some.length * input.dim);
  for (const [i, row] of some.entries()) seen.set(await drawn.read(row, row + 1), i * input.dim);
  const spread = new Silhouette(seen, input.dim);
  const { cluster_iterations: iterations, cluster_restarts: restarts } = options;
  for (const k of clusters) {
    const found = await kmeans(gpu, drawn, { clusters: k, seed, iterations, restarts, signal });
    inertia.push(found.inertia);
    silhouette.push(spread.mean(Array.from(some, (row) => found.labels[row]!)) ?? 0);
  }
  return { organ, rows: drawn.count, clusters, inertia, silhouette };
}

/** The expert of each coarse cluster: small ones go to the nearest that is not. */
function merge(counts: Float64Array, middles: Float32Array, dim: number, least: number) {
  const kept = [...counts.keys()].filter((k) => counts[k]! >= least);
  if (kept.length === 0) {
    const all = counts.reduce((a, b) => a + b, 0);
    if (all < least) throw tooFewPairs(all, least);
    kept.push(counts.indexOf(Math.max(...counts)));
  }
  const away = (a: number, b: number) => {
    let sum = 0;
    for (let j = 0; j < dim; j++) sum += (middles[a * dim + j]! - middles[b * dim + j]!) ** 2;
    return sum;
  };
  const notes: string[] = [];
  const table = Array.from(counts, (count, k) => {
    const own = kept.indexOf(k);
    if (own >= 0) return own;
    const distances = kept.map((other) => away(k, other));
    const to = distances.indexOf(Math.min(...distances));
    notes.push(
      `Coarse cluster ${k} has ${count} training pairs, fewer than two batches (${least}): merged into expert ${to}`,
    );
    return to;
  });
  return { table, experts: kept.length, notes };
}
