/** Layer normalisation in float64, from the formula. */
export function layernormRef(x: Float64Array, gamma: Float64Array, beta: Float64Array, eps: number): Float64Array {
  const D = gamma.length;
  const y = new Float64Array(x.length);
  for (let m = 0; m < x.length / D; m++) {
    let mean = 0;
    for (let d = 0; d < D; d++) mean += x[m * D + d]! / D;
    let variance = 0;
    for (let d = 0; d < D; d++) variance += (x[m * D + d]! - mean) ** 2 / D;
    for (let d = 0; d < D; d++) {
      y[m * D + d] = (x[m * D + d]! - mean) / Math.sqrt(variance + eps) * gamma[d]! + beta[d]!;
    }
  }
  return y;
}
