/** Weights in float64. */
export function proximityRef(s: Float64Array, B: number, range: number, least: number, squared: boolean): Float64Array {
  return s.map((dot, id) => {
    if (id % (B + 1) === 0) return 1;
    const d2 = Math.max(0, 2 - 2 * dot);
    const w = 1 - 4 / Math.PI * Math.atan((squared ? d2 : Math.sqrt(d2)) / range);
    return w < least ? 0 : w;
  });
}
