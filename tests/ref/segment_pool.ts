/** Sums of the rows of each segment in float64, weighted: `[B, H, D]`. Rows of weight 0 take no part. */
export function segmentPoolRef(
  x: Float64Array,
  w: Float64Array,
  bound: ArrayLike<number>,
  { H, D }: { H: number; D: number },
): Float64Array {
  const B = bound.length - 1;
  const y = new Float64Array(B * H * D);
  for (let b = 0; b < B; b++) {
    for (let j = bound[b]!; j < bound[b + 1]!; j++) {
      for (let h = 0; h < H; h++) {
        const weight = w[j * H + h]!;
        if (weight === 0) continue;
        for (let c = 0; c < D; c++) y[(b * H + h) * D + c]! += weight * x[j * D + c]!;
      }
    }
  }
  return y;
}

/** Its gradients. */
export function segmentPoolGradRef(
  x: Float64Array,
  w: Float64Array,
  bound: ArrayLike<number>,
  dy: ArrayLike<number>,
  { H, D }: { H: number; D: number },
): { x: Float64Array; w: Float64Array } {
  const dx = new Float64Array(x.length);
  const dw = new Float64Array(w.length);
  for (let b = 0; b + 1 < bound.length; b++) {
    for (let j = bound[b]!; j < bound[b + 1]!; j++) {
      for (let h = 0; h < H; h++) {
        for (let c = 0; c < D; c++) {
          dx[j * D + c]! += w[j * H + h]! * dy[(b * H + h) * D + c]!;
          dw[j * H + h]! += x[j * D + c]! * dy[(b * H + h) * D + c]!;
        }
      }
    }
  }
  return { x: dx, w: dw };
}
