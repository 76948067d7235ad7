/** Concatenation in float64. */

/** Parts `[outer, lengths[k], inner]` joined along the middle dimension. */
export function concatRef(parts: readonly Float64Array[], outer: number, inner: number): Float64Array {
  const y: number[] = [];
  for (let o = 0; o < outer; o++) {
    for (const part of parts) {
      const row = part.length / outer;
      for (let i = 0; i < row / inner; i++) {
        for (let c = 0; c < inner; c++) y.push(part[o * row + i * inner + c]!);
      }
    }
  }
  return Float64Array.from(y);
}
