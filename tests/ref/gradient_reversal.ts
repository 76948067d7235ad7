/** Gradient reversal: the output and the gradient it hands back. */

/** The identity. */
export function gradientReversalRef(x: Float64Array): Float64Array {
  return x.slice();
}

/** -lambda dy. */
export function reversedGradientRef(dy: Float64Array, lambda: number): Float64Array {
  return dy.map((value) => -lambda * value);
}
