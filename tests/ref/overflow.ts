/** Counts of elements that are no finite numbers, by the workgroup that reads them. */

/** `found` is `[S, groups]`; elements are read in blocks of 4 WG, block b by group b mod groups. */
export function overflowRef(
  x: Float64Array,
  found: Float64Array,
  { slot, groups, WG }: { slot: number; groups: number; WG: number },
): Float64Array {
  const out = found.slice();
  x.forEach((v, i) => {
    if (!Number.isFinite(v)) out[slot * groups + Math.floor(i / (4 * WG)) % groups]! += 1;
  });
  return out;
}
