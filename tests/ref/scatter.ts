/** Sums of rows by number in float64. */

/** Rows of `x` `[n, D]` added to rows `index` of zeros `[V, D]`; others are left out. */
export function scatterAddRef(x: Float64Array, index: ArrayLike<number>, V: number, D: number): Float64Array {
  const y = new Float64Array(V * D);
  for (let i = 0; i < index.length; i++) {
    for (let d = 0; d < D; d++) if (index[i]! < V) y[index[i]! * D + d]! += x[i * D + d]!;
  }
  return y;
}
