/** Running mean in float64, from the formula. */

/** One step. */
export function emaRef(mean: Float64Array, w: Float64Array, keep: number): Float64Array {
  return mean.map((value, i) => keep * value + (1 - keep) * w[i]!);
}
