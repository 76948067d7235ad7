/** Part of one dimension in float64. */

/** `x` is `[outer, length, inner]`; elements start .. start+count of the middle dimension. */
export function sliceRef(x: Float64Array, length: number, inner: number, start: number, count: number): Float64Array {
  const outer = x.length / (length * inner);
  const y = new Float64Array(outer * count * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < inner; c++) y[(o * count + i) * inner + c] = x[(o * length + start + i) * inner + c]!;
    }
  }
  return y;
}
