/**
 * Silhouette of clusterings of the same rows: how much nearer rows are to their own cluster than to the next one.
 *
 *     s = (b - a) / max(a, b)
 *
 * with a the mean distance to the other rows of the cluster and b the least mean distance to the rows of another; 0 of a row that
 * is alone. Distances are Euclidean, and computed once for all clusterings.
 *
 * Source: Rousseeuw, "Silhouettes" (1987).
 *
 * @module
 */

/** Rows with the distances between them. */
export class Silhouette {
  /** `[count, count]`. */
  readonly #distances: Float32Array;
  readonly #count: number;

  /** @param rows `[count, dim]`. */
  constructor(rows: Float32Array, dim: number) {
    const count = this.#count = rows.length / dim;
    this.#distances = new Float32Array(count * count);
    for (let a = 0; a < count; a++) {
      for (let b = a + 1; b < count; b++) {
        let sum = 0;
        for (let j = 0; j < dim; j++) sum += (rows[a * dim + j]! - rows[b * dim + j]!) ** 2;
        this.#distances[a * count + b] = this.#distances[b * count + a] = Math.sqrt(sum);
      }
    }
  }

  /** Mean over all rows; null where all are of one cluster. @param labels Cluster of each row. */
  mean(labels: ArrayLike<number>): number | null {
    const clusters = new Map<number, number>();
    for (let r = 0; r < this.#count; r++) clusters.set(labels[r]!, (clusters.get(labels[r]!) ?? 0) + 1);
    if (clusters.size < 2) return null;
    let total = 0;
    for (let r = 0; r < this.#count; r++) {
      const sums = new Map<number, number>();
      for (let o = 0; o < this.#count; o++) {
        sums.set(labels[o]!, (sums.get(labels[o]!) ?? 0) + this.#distances[r * this.#count + o]!);
      }
      const own = clusters.get(labels[r]!)! - 1;
      if (own === 0) continue;
      const a = sums.get(labels[r]!)! / own;
      let b = Infinity;
      for (const [label, sum] of sums) if (label !== labels[r]) b = Math.min(b, sum / clusters.get(label)!);
      if (Math.max(a, b) > 0) total += (b - a) / Math.max(a, b);
    }
    return total / this.#count;
  }
}
