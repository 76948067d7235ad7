/** Targets of the highest and lowest rows of each segment, by sorting it. */
export function instanceTargetsRef(
  s: ArrayLike<number>,
  bound: ArrayLike<number>,
  w: ArrayLike<number>,
  C: number,
  k: number,
): Float64Array {
  const t = new Float64Array(s.length * C * 2);
  for (let b = 0; b + 1 < bound.length; b++) {
    const rows = Array.from({ length: bound[b + 1]! - bound[b]! }, (_, i) => bound[b]! + i);
    rows.sort((i, j) => s[j]! - s[i]! || i - j);
    const m = Math.min(k, Math.floor(rows.length / 2));
    for (let c = 0; c < C; c++) {
      const [is, not] = [w[2 * (b * C + c)]!, w[2 * (b * C + c) + 1]!];
      for (let i = 0; i < m; i++) {
        const [high, low] = [rows[i]!, rows[rows.length - 1 - i]!];
        t[2 * (high * C + c) + 1]! += is / (2 * m);
        t[2 * (high * C + c)]! += not / m;
        t[2 * (low * C + c)]! += is / (2 * m);
      }
    }
  }
  return t;
}
