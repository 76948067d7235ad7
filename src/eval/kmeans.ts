/**
 * Euclidean k-means over rows that need not fit on the device: k-means++ starts, Lloyd's iterations, restarts.
 *
 * A block of rows is on the device at a time: score = 2 x·c - |c|², the largest is the nearest centroid, and the lowest of
 * equals; sums of the rows of each cluster are f32 over 4,096 rows, in their order, and f64 over these, whatever the block is. Squared
 * distances are |x|² less the score, never below 0. Draws are the host's, so that a seed draws the same on every device.
 *
 * A cluster that loses all rows takes the row farthest from its centroid of the largest cluster.
 *
 * Source: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding" (2007); Lloyd (1982).
 *
 * @module
 */

import { DataError, LimitError } from "../core/errors.ts";
import { Rng, streamOf } from "../core/rng.ts";
import { count as amount } from "../core/text_table.ts";
import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import { Plan } from "../graph/plan.ts";
import type { Program } from "../graph/program.ts";
import { Store } from "../graph/store.ts";
import type { Tensor } from "../graph/tensor.ts";
import { linear } from "../ops/linear.ts";
import { scatterAdd } from "../ops/scatter.ts";
import { rowTopk } from "../ops/topk.ts";

/** Rows that are read when they are needed. */
export interface ClusterRows {
  /** Names them in errors. */
  readonly name: string;
  readonly count: number;
  readonly dim: number;
  /** Rows `from` up to `to`, `[to - from, dim]`, finite numbers. */
  read(from: number, to: number): Float32Array | Promise<Float32Array>;
}

/** Options of {@linkcode kmeans}. */
export interface KmeansOptions {
  /** K. */
  readonly clusters: number;
  readonly seed: number;
  /** Most iterations; default 50. */
  readonly iterations?: number;
  /** Starts, of which the one with the least inertia is kept; default 5. */
  readonly restarts?: number;
  /** Least relative fall of the inertia that goes on; default 1e-6. */
  readonly tolerance?: number;
  /** Centroids to start from, `[K, dim]`, instead of those that k-means++ draws; there is one start then. */
  readonly start?: Float32Array | undefined;
  /** Rows on the device at a time; by default 4,096, or what 64 MiB hold. */
  readonly block?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A clustering of rows. */
export interface Clusters {
  /** `[K, dim]`. */
  readonly centroids: Float32Array<ArrayBuffer>;
  /** Nearest centroid of each row. */
  readonly labels: Uint32Array<ArrayBuffer>;
  /** Squared distance of each row to it. */
  readonly distances: Float64Array;
  /** Their sum. */
  readonly inertia: number;
  readonly iterations: number;
  /** Clusters that had lost all rows on the way, and those that they took a row of. */
  readonly refilled: readonly { readonly cluster: number; readonly from: number }[];
}

/** Rows whose sums are f32. */
const SUM_ROWS = 4096;
/** Most bytes of a block of rows. */
const BLOCK_BYTES = 64 << 20;

/** What one pass over all rows gives. */
interface Pass {
  readonly labels: Uint32Array<ArrayBuffer>;
  readonly distances: Float64Array;
  /** Sums of the rows of each cluster, `[K, dim]`. */
  readonly sums: Float64Array;
  readonly counts: Float64Array;
}

/** What the plan reads and writes. */
type NearestTensors = Readonly<Record<"x" | "weight" | "bias" | "index" | "score", Tensor>> & {
  readonly sums: readonly Tensor[];
};

/**
 * Appends the search of the nearest centroid of each row, and the sums of the rows of each.
 *
 * @param x `[R, dim]`.
 * @param weight Twice the centroids, `[K, dim]`. @param bias Their squared lengths, negative, `[K]`.
 */
export function nearestRows(
  g: Plan,
  x: Tensor,
  { weight, bias }: { weight: Tensor; bias: Tensor },
): { index: Tensor; score: Tensor; sums: readonly Tensor[] } {
  return g.withoutTape(() => {
    const [R, dim] = [x.dim(0), x.dim(1)];
    const { indices, scores } = rowTopk(g, linear(g, x, { weight, bias }), 1);
    const [index, score] = [indices, scores].map((found) => found.reshape([R])) as [Tensor, Tensor];
    const sums = Array.from({ length: Math.ceil(R / SUM_ROWS) }, (_, i) => {
      const [from, rows] = [i * SUM_ROWS, Math.min(SUM_ROWS, R - i * SUM_ROWS)];
      return scatterAdd(g, x.slice(from * dim, [rows, dim]), index.slice(from, [rows]), weight.dim(0));
    });
    return { index, score, sums };
  });
}

/** Assigns rows to their nearest centroids, block by block, on the device. */
export class NearestCentroid {
  readonly #gpu: Gpu;
  readonly #store: Store;
  readonly #program: Program;
  readonly #t: NearestTensors;

  private constructor(
    gpu: Gpu,
    parts: { store: Store; program: Program; tensors: NearestTensors },
    /** Rows on the device at a time. */
    readonly block: number,
  ) {
    this.#gpu = gpu;
    this.#store = parts.store;
    this.#program = parts.program;
    this.#t = parts.tensors;
  }

  /**
   * Compiles the plan.
   *
   * @param shape Centroids K, width of a row, and rows on the device at a time.
   * @throws {LimitError} If a block is more than the device holds.
   */
  static async compile(
    gpu: Gpu,
    { clusters, dim, block }: { clusters: number; dim: number; block: number },
  ): Promise<NearestCentroid> {
    const store = new Store(gpu);
    try {
      const x = store.tensor("x", "x", [block, dim]);
      const weight = store.tensor("weight", "weight", [clusters, dim]);
      const bias = store.tensor("bias", "bias", [clusters]);
      const g = new Plan(gpu);
      const { index, score, sums } = nearestRows(g, x, { weight, bias });
      g.output(index, score, ...sums);
      store.allocate();
      const tensors = { x, weight, bias, index, score, sums };
      return new NearestCentroid(gpu, { store, program: await g.compile(), tensors }, block);
    } catch (error) {
      store.destroy();
      throw error;
    }
  }

  /** Sets the centroids, `[K, dim]`. */
  set centroids(values: Float32Array) {
    const { weight, bias } = this.#t;
    const dim = weight.dim(1);
    this.#store.write(weight, values.map((value) => 2 * value));
    this.#store.write(bias, squares(values, dim).map((value) => -value));
  }

  /**
   * Assigns all rows.
   *
   * @param norms Squared lengths of the rows.
   */
  async assign(rows: ClusterRows, norms: Float64Array, signal?: AbortSignal): Promise<Pass> {
    const { x, weight, index, score, sums } = this.#t;
    const [clusters, dim] = [weight.dim(0), weight.dim(1)];
    const labels = new Uint32Array(rows.count);
    const distances = new Float64Array(rows.count);
    const total = new Float64Array(clusters * dim);
    const counts = new Float64Array(clusters);
    const padded = new Float32Array(this.block * dim);
    for (let from = 0; from < rows.count; from += this.block) {
      signal?.throwIfAborted();
      const to = Math.min(rows.count, from + this.block);
      const read = await rows.read(from, to);
      // Rows of zeros behind the last one add nothing to the sums.
      const whole = to - from === this.block ? read : (padded.fill(0), padded.set(read), padded);
      this.#store.write(x, whole);
      this.#program.run();
      const [i, s, ...parts] = await readback(this.#gpu, index, score, ...sums);
      for (const part of parts) for (let k = 0; k < total.length; k++) total[k]! += part[k]!;
      for (let r = from; r < to; r++) {
        const label = i![r - from]!;
        labels[r] = label;
        counts[label]!++;
        distances[r] = Math.max(0, norms[r]! - s![r - from]!);
      }
    }
    return { labels, distances, sums: total, counts };
  }

  /** Frees the plan. */
  destroy(): void {
    this.#program.destroy();
    this.#store.destroy();
  }
}

/** Squared lengths of rows in f64. */
export function squares(data: Float32Array, dim: number): Float64Array {
  const out = new Float64Array(data.length / dim);
  for (let r = 0, k = 0; r < out.length; r++) {
    let sum = 0;
    for (let j = 0; j < dim; j++, k++) sum += data[k]! * data[k]!;
    out[r] = sum;
  }
  return out;
}

/** Rows of a block: as many as are summed in f32, or fewer where they are so wide; no more than there are. */
export function blockRows({ count, dim }: Pick<ClusterRows, "count" | "dim">, clusters: number, gpu: Gpu): number {
  const { maxStorageBufferBindingSize } = gpu.caps.limits;
  const bytes = Math.min(BLOCK_BYTES, maxStorageBufferBindingSize);
  const most = Math.max(64, Math.floor(bytes / (4 * Math.max(dim, clusters)) / 64) * 64);
  return Math.min(SUM_ROWS, most, Math.ceil(count / 64) * 64);
}

/** Squared lengths of all rows. */
export async function rowSquares(rows: ClusterRows, block: number): Promise<Float64Array> {
  const out = new Float64Array(rows.count);
  for (let from = 0; from < rows.count; from += block) {
    out.set(squares(await rows.read(from, Math.min(rows.count, from + block)), rows.dim), from);
  }
  return out;
}

/**
 * Clusters rows.
 *
 * @throws {LimitError} If a number is not a whole one above 0.
 * @throws {DataError} If there are fewer rows, or fewer that differ, than clusters, or a cluster stays empty.
 */
export async function kmeans(gpu: Gpu, rows: ClusterRows, options: KmeansOptions): Promise<Clusters> {
  const { clusters, seed, restarts = 5, iterations = 50, start, signal } = options;
  for (const [key, value] of Object.entries({ clusters, restarts, iterations })) {
    if (Number.isInteger(value) && value > 0) continue;
    throw new LimitError(`Cannot cluster ${rows.name}: ${key} is ${value}, wanted a whole number above 0`, {
      context: { limit: key, given: String(value) },
    });
  }
  if (rows.count < clusters) throw tooFew(rows, rows.count, clusters);
  const asked = options.block ?? blockRows(rows, clusters, gpu);
  // Whole sums, so that they are the same in blocks of any size.
  const block = asked > SUM_ROWS ? Math.ceil(asked / SUM_ROWS) * SUM_ROWS : asked;
  const norms = await rowSquares(rows, block);
  const nearest = await NearestCentroid.compile(gpu, { clusters, dim: rows.dim, block });
  const one = start ? undefined : await NearestCentroid.compile(gpu, { clusters: 1, dim: rows.dim, block });
  try {
    let best: Clusters | undefined;
    for (let run = 0; run < (start ? 1 : restarts); run++) {
      const rng = new Rng(seed, streamOf(`clusters of ${rows.name}, start ${run}`));
      const from = start ?? await plusPlus(one!, rows, { clusters, norms, rng, signal });
      const found = await lloyd(nearest, rows, { ...options, norms, from });
      if (!best || found.inertia < best.inertia) best = found;
    }
    return best!;
  } finally {
    nearest.destroy();
    one?.destroy();
  }
}

function tooFew({ name, count }: ClusterRows, found: number, clusters: number): DataError {
  const what = found === count ? "rows" : `different rows of ${count}`;
  return new DataError(`Cannot cluster ${name}: ${found} ${what}, expected ${clusters} or more`, {
    code: "too-few-rows",
    hint: `Ask for ${amount(found, "cluster")} or fewer`,
    context: { name, found, expected: clusters },
  });
}

/** Rows drawn with probabilities that rise with the squared distance to the nearest one drawn before, `[K, dim]`. */
async function plusPlus(
  one: NearestCentroid,
  rows: ClusterRows,
  { clusters, norms, rng, signal }: {
    clusters: number;
    norms: Float64Array;
    rng: Rng;
    signal: AbortSignal | undefined;
  },
): Promise<Float32Array> {
  const { dim, count } = rows;
  const centroids = new Float32Array(clusters * dim);
  const nearest = new Float64Array(count).fill(Infinity);
  let row = rng.below(count);
  for (let k = 0; k < clusters; k++) {
    const chosen = await rows.read(row, row + 1);
    centroids.set(chosen, k * dim);
    if (k + 1 === clusters) break;
    one.centroids = Float32Array.from(chosen);
    const { distances } = await one.assign(rows, norms, signal);
    let total = 0;
    for (let r = 0; r < count; r++) {
      nearest[r] = r === row ? 0 : Math.min(nearest[r]!, distances[r]!);
      total += nearest[r]!;
    }
    row = drawRow(nearest, rng.uniform() * total);
    if (row < 0) throw tooFew(rows, k + 1, clusters);
  }
  return centroids;
}

/** The row at which the running sum passes `at`; -1 where nothing is left to draw. */
function drawRow(weights: Float64Array, at: number): number {
  let [sum, last] = [0, -1];
  for (let r = 0; r < weights.length; r++) {
    if (weights[r] === 0) continue;
    last = r;
    sum += weights[r]!;
    if (sum > at) return r;
  }
  return last;
}

async function lloyd(
  nearest: NearestCentroid,
  rows: ClusterRows,
  { clusters, norms, from, iterations = 50, tolerance = 1e-6, signal }: KmeansOptions & {
    norms: Float64Array;
    from: Float32Array;
  },
): Promise<Clusters> {
  const { dim } = rows;
  const refilled: { cluster: number; from: number }[] = [];
  let centroids = Float32Array.from(from);
  let before = Infinity;
  for (let iteration = 1;; iteration++) {
    nearest.centroids = centroids;
    const pass = await nearest.assign(rows, norms, signal);
    const inertia = pass.distances.reduce((sum, value) => sum + value, 0);
    const full = pass.counts.every((count) => count > 0);
    if (full && (iteration > iterations || inertia >= (1 - tolerance) * before)) {
      const { labels, distances } = pass;
      return { centroids, labels, distances, inertia, iterations: iteration - 1, refilled };
    }
    if (!full && iteration > 2 * iterations) {
      // It loses each row that it is given: as f32 tells it that one is as near to another.
      throw isEmpty(rows, pass.counts.indexOf(0), clusters, `after ${iteration} iterations`);
    }
    for (let k = 0; k < clusters; k++) if (pass.counts[k] === 0) refilled.push(await refill(k, pass, rows));
    // Where a cluster was refilled the rows have to be looked at again.
    before = full ? inertia : Infinity;
    centroids = Float32Array.from(pass.sums, (sum, i) => sum / pass.counts[Math.floor(i / dim)]!);
  }
}

function isEmpty({ name }: ClusterRows, cluster: number, clusters: number, why: string): DataError {
  return new DataError(`Cannot cluster ${name}: cluster ${cluster} is empty ${why}`, {
    code: "empty-cluster",
    hint: `Ask for fewer than ${clusters} clusters, or centre rows whose lengths are far above their differences`,
    context: { name, cluster },
  });
}

/** Gives an empty cluster the row farthest from its centroid of the largest cluster. */
async function refill(
  cluster: number,
  { labels, distances, sums, counts }: Pass,
  rows: ClusterRows,
): Promise<{ cluster: number; from: number }> {
  const from = counts.indexOf(Math.max(...counts));
  let row = -1;
  labels.forEach((label, r) => {
    if (label === from && distances[r]! > (row < 0 ? 0 : distances[row]!)) row = r;
  });
  if (row < 0) {
    throw isEmpty(rows, cluster, counts.length, `and all ${counts[from]} rows of the largest are alike`);
  }
  const values = await rows.read(row, row + 1);
  values.forEach((value, j) => {
    sums[from * rows.dim + j]! -= value;
    sums[cluster * rows.dim + j]! += value;
  });
  counts[from]!--;
  counts[cluster]!++;
  [labels[row], distances[row]] = [cluster, 0];
  return { cluster, from };
}

/** Rows in memory. */
export function rowsInMemory(name: string, data: Float32Array, dim: number): ClusterRows {
  return {
    name,
    count: data.length / dim,
    dim,
    read: (from, to) => data.subarray(from * dim, to * dim),
  };
}
