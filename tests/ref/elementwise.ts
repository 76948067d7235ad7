/** Elementwise operations in float64. */

/** a s x + b. */
export function affineRef(x: Float64Array, a: number, b: number, s = 1): Float64Array {
  return x.map((value) => a * s * value + b);
}
