/** Counts of elements that are no finite numbers. */

/** `found` is `[S, groups]`; what is no number lies among the first elements, which the first group reads. */
export function overflowRef(x: Float64Array, found: Float64Array, groups: number, slot: number): Float64Array {
  const out = found.slice();
  out[slot * groups]! += x.reduce((n, v) => n + (Number.isFinite(v) ? 0 : 1), 0);
  return out;
}
