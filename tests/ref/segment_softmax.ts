/** Softmax over the rows of each segment in float64; 0 for rows that are masked or in no segment. */
export function segmentSoftmaxRef(
  x: Float64Array,
  H: number,
  bound: ArrayLike<number>,
  mask?: ArrayLike<number>,
): Float64Array {
  const y = new Float64Array(x.length);
  for (let b = 0; b + 1 < bound.length; b++) {
    for (let h = 0; h < H; h++) {
      const rows: number[] = [];
      for (let j = bound[b]!; j < bound[b + 1]!; j++) if (!mask || mask[j] !== 0) rows.push(j);
      let most = -Infinity;
      for (const j of rows) most = Math.max(most, x[j * H + h]!);
      if (most === -Infinity) continue;
      let total = 0;
      for (const j of rows) total += Math.exp(x[j * H + h]! - most);
      for (const j of rows) y[j * H + h] = Math.exp(x[j * H + h]! - most) / total;
    }
  }
  return y;
}

/** Its gradient: y (dy - sum over the segment of y dy). */
export function segmentSoftmaxGradRef(
  y: Float64Array,
  dy: ArrayLike<number>,
  H: number,
  bound: ArrayLike<number>,
): Float64Array {
  const dx = new Float64Array(y.length);
  for (let b = 0; b + 1 < bound.length; b++) {
    for (let h = 0; h < H; h++) {
      let dot = 0;
      for (let j = bound[b]!; j < bound[b + 1]!; j++) dot += y[j * H + h]! * dy[j * H + h]!;
      for (let j = bound[b]!; j < bound[b + 1]!; j++) dx[j * H + h] = y[j * H + h]! * (dy[j * H + h]! - dot);
    }
  }
  return dx;
}
