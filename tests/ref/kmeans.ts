/** k-means in f64 by plain loops, with the draws of the device's: k-means++ starts, Lloyd's iterations, restarts. */

import { Rng, streamOf } from "../../src/core/rng.ts";

/** A clustering. */
export interface KmeansRef {
  readonly centroids: Float64Array;
  readonly labels: number[];
  readonly inertia: number;
  /** Inertia of each iteration. */
  readonly path: number[];
}

function squared(x: ArrayLike<number>, r: number, c: ArrayLike<number>, k: number, d: number): number {
  let sum = 0;
  for (let j = 0; j < d; j++) sum += (x[r * d + j]! - c[k * d + j]!) ** 2;
  return sum;
}

/** Lloyd's iterations from given centroids. */
export function lloydRef(
  x: ArrayLike<number>,
  d: number,
  start: ArrayLike<number>,
  { iterations = 50, tolerance = 1e-6 } = {},
): KmeansRef {
  const n = x.length / d;
  const K = start.length / d;
  // Centroids are f32 on the device.
  let c = Float64Array.from(start, Math.fround);
  const path: number[] = [];
  for (let step = 1;; step++) {
    const labels: number[] = [];
    const distances: number[] = [];
    for (let r = 0; r < n; r++) {
      const all = Array.from({ length: K }, (_, k) => squared(x, r, c, k, d));
      const least = Math.min(...all);
      labels.push(all.indexOf(least));
      distances.push(least);
    }
    const inertia = distances.reduce((a, b) => a + b, 0);
    const counts = Array.from({ length: K }, (_, k) => labels.filter((label) => label === k).length);
    const full = !counts.includes(0);
    const before = path.at(-1) ?? Infinity;
    path.push(full ? inertia : Infinity);
    if (full && (step > iterations || inertia >= (1 - tolerance) * before)) {
      return { centroids: c, labels, inertia, path };
    }
    counts.forEach((count, k) => {
      if (count > 0) return;
      const now = Array.from({ length: K }, (_, i) => labels.filter((label) => label === i).length);
      const largest = now.indexOf(Math.max(...now));
      let far = -1;
      for (let r = 0; r < n; r++) {
        if (labels[r] === largest && (far < 0 || distances[r]! > distances[far]!)) far = r;
      }
      labels[far] = k;
      distances[far] = 0;
    });
    const next = new Float64Array(K * d);
    for (let k = 0; k < K; k++) {
      const own = labels.flatMap((label, r) => (label === k ? [r] : []));
      for (let j = 0; j < d; j++) {
        next[k * d + j] = Math.fround(own.reduce((sum, r) => sum + x[r * d + j]!, 0) / own.length);
      }
    }
    c = next;
  }
}

/** The best of several starts. */
export function kmeansRef(
  name: string,
  x: ArrayLike<number>,
  d: number,
  { clusters, seed, restarts }: { clusters: number; seed: number; restarts: number },
): KmeansRef {
  const n = x.length / d;
  let best: KmeansRef | undefined;
  for (let run = 0; run < restarts; run++) {
    const rng = new Rng(seed, streamOf(`clusters of ${name}, start ${run}`));
    const chosen = [rng.below(n)];
    while (chosen.length < clusters) {
      const weights = Array.from({ length: n }, (_, r) => Math.min(...chosen.map((k) => squared(x, r, x, k, d))));
      const at = rng.uniform() * weights.reduce((a, b) => a + b, 0);
      let sum = 0;
      chosen.push(weights.findIndex((weight) => weight > 0 && (sum += weight) > at));
    }
    const found = lloydRef(x, d, chosen.flatMap((k) => Array.from({ length: d }, (_, j) => x[k * d + j]!)));
    if (!best || found.inertia < best.inertia) best = found;
  }
  return best!;
}
