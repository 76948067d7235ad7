/** A planar flow in float64: rows after it, and the logarithm of the determinant of each row. */
export function planarFlowRef(
  z: Float64Array,
  { u, w, b }: { u: Float64Array; w: Float64Array; b: Float64Array },
): { y: Float64Array; logdet: Float64Array } {
  const D = u.length;
  const M = z.length / D;
  const y = new Float64Array(z.length);
  const logdet = new Float64Array(M);
  for (let m = 0; m < M; m++) {
    let l = b[0]!;
    let s = 0;
    for (let d = 0; d < D; d++) {
      l += z[m * D + d]! * w[d]!;
      s += u[d]! * w[d]!;
    }
    for (let d = 0; d < D; d++) y[m * D + d] = z[m * D + d]! + u[d]! * Math.tanh(l);
    logdet[m] = Math.log(Math.abs(1 + (1 - Math.tanh(l) ** 2) * s) + 1e-8);
  }
  return { y, logdet };
}
