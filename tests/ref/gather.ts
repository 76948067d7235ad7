/** Rows and columns by number in float64. */

/** Rows `index` of `x` `[V, D]`; NaN where there is no such row. */
export function gatherRef(x: Float64Array, index: ArrayLike<number>, D: number): Float64Array {
  const y = new Float64Array(index.length * D).fill(NaN);
  for (let i = 0; i < index.length; i++) {
    for (let d = 0; d < D; d++) if ((index[i]! + 1) * D <= x.length) y[i * D + d] = x[index[i]! * D + d]!;
  }
  return y;
}

/** Columns `index` of `x` `[M, C]`; NaN where there is no such column. */
export function gatherColumnsRef(x: Float64Array, index: ArrayLike<number>, C: number): Float64Array {
  const M = x.length / C;
  const K = index.length;
  const y = new Float64Array(M * K).fill(NaN);
  for (let m = 0; m < M; m++) {
    for (let k = 0; k < K; k++) if (index[k]! < C) y[m * K + k] = x[m * C + index[k]!]!;
  }
  return y;
}
