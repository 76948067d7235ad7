/** A ring of scalars in float64: the row of the step gets the scalar in its column, all else stays. */
export function ringRef(ring: Float64Array, columns: number, x: number, step: number, column: number): Float64Array {
  const rows = ring.length / columns;
  return ring.with((step % rows) * columns + column, x);
}
