/** Permutation of dimensions in float64. */

/** Element of the result at each position, found from its coordinates. */
export function permuteRef(x: Float64Array, shape: readonly number[], axes: readonly number[]): Float64Array {
  const y = new Float64Array(x.length);
  const to = axes.map((axis) => shape[axis]!);
  for (let i = 0; i < y.length; i++) {
    const at = new Array<number>(shape.length).fill(0);
    let rest = i;
    for (let d = to.length - 1; d >= 0; d--) {
      at[axes[d]!] = rest % to[d]!;
      rest = Math.floor(rest / to[d]!);
    }
    let from = 0;
    for (let d = 0; d < shape.length; d++) from = from * shape[d]! + at[d]!;
    y[i] = x[from]!;
  }
  return y;
}
