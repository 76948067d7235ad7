/** Mean cross-entropy in float64 over the rows whose label is not `ignore`; 0 when none is left, NaN for a label of D or more. */
export function crossEntropyRef(
  x: Float64Array,
  labels: ArrayLike<number>,
  D: number,
  smoothing: number,
  ignore: number,
): Float64Array {
  let total = 0;
  let count = 0;
  for (let m = 0; m < labels.length; m++) {
    const label = labels[m]!;
    if (label === ignore) continue;
    count++;
    const row = x.subarray(m * D, (m + 1) * D);
    const most = row.reduce((a, b) => Math.max(a, b));
    let sum = 0;
    for (let d = 0; d < D; d++) sum += Math.exp(row[d]! - most);
    for (let d = 0; d < D; d++) {
      const wanted = (d === label ? 1 - smoothing : 0) + smoothing / D;
      if (wanted > 0) total += wanted * (Math.log(sum) - (row[d]! - most));
    }
    if (label >= D) total = NaN;
  }
  return new Float64Array([count ? total / count : 0]);
}
