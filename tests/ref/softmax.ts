/** Softmax of each row in float64; a row of nothing but minus infinity gives zeros. */
export function softmaxRef(x: Float64Array, D: number, scale: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let m = 0; m < x.length / D; m++) {
    const row = x.subarray(m * D, (m + 1) * D);
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    if (most === -Infinity) continue;
    let total = 0;
    for (let d = 0; d < D; d++) total += Math.exp(scale * (row[d]! - most));
    for (let d = 0; d < D; d++) y[m * D + d] = Math.exp(scale * (row[d]! - most)) / total;
  }
  return y;
}

/** Logarithm of the softmax of each row in float64; a row of nothing but minus infinity stays so. */
export function logSoftmaxRef(x: Float64Array, D: number, scale: number): Float64Array {
  const y = new Float64Array(x.length).fill(-Infinity);
  for (let m = 0; m < x.length / D; m++) {
    const row = x.subarray(m * D, (m + 1) * D);
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    if (most === -Infinity) continue;
    let total = 0;
    for (let d = 0; d < D; d++) total += Math.exp(scale * (row[d]! - most));
    for (let d = 0; d < D; d++) y[m * D + d] = scale * (row[d]! - most) - Math.log(total);
  }
  return y;
}
