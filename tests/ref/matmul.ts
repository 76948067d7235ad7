/** Matrix products in float64, from the formula. */
export function matmulRef(
  a: Float64Array,
  b: Float64Array,
  s: { B: number; M: number; N: number; K: number; transA?: boolean; transB?: boolean; alpha?: number },
): Float64Array {
  const { B, M, N, K, transA = false, transB = false, alpha = 1 } = s;
  const y = new Float64Array(B * M * N);
  for (let z = 0; z < B; z++) {
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < N; n++) {
        let sum = 0;
        for (let k = 0; k < K; k++) {
          const left = transA ? a[(z * K + k) * M + m]! : a[(z * M + m) * K + k]!;
          const right = transB ? b[(z * N + n) * K + k]! : b[(z * K + k) * N + n]!;
          sum += left * right;
        }
        y[(z * M + m) * N + n] = alpha * sum;
      }
    }
  }
  return y;
}
