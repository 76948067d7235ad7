/** The same numbers in float64, which has those of both types. */

export function castRef(x: Float64Array): Float64Array {
  return x.slice();
}
