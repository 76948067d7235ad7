/** Rows divided by their Euclidean norm, or by eps where that is larger, in float64. */
export function l2NormalizeRef(x: Float64Array, D: number, eps: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let m = 0; m < x.length / D; m++) {
    let squares = 0;
    for (let d = 0; d < D; d++) squares += x[m * D + d]! ** 2;
    for (let d = 0; d < D; d++) y[m * D + d] = x[m * D + d]! / Math.max(Math.sqrt(squares), eps);
  }
  return y;
}
