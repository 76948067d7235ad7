/** Token operations in float64. */

/** `[R, D]` before the tokens of each sample of `[B, N, D]`. */
export function prependTokensRef(tokens: Float64Array, x: Float64Array, B: number): Float64Array {
  const N = x.length / B;
  const y = new Float64Array(B * tokens.length + x.length);
  for (let b = 0; b < B; b++) {
    const row = b * (tokens.length + N);
    for (let i = 0; i < tokens.length; i++) y[row + i] = tokens[i]!;
    for (let i = 0; i < N; i++) y[row + tokens.length + i] = x[b * N + i]!;
  }
  return y;
}

/** Mean over tokens start .. start+count of `[B, N, D]`. */
export function meanTokensRef(x: Float64Array, N: number, D: number, start: number, count: number): Float64Array {
  const B = x.length / (N * D);
  const y = new Float64Array(B * D);
  for (let b = 0; b < B; b++) {
    for (let n = start; n < start + count; n++) {
      for (let d = 0; d < D; d++) y[b * D + d]! += x[(b * N + n) * D + d]! / count;
    }
  }
  return y;
}
