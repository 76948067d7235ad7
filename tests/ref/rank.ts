/** Rows above and equal to the partner, and the partner's score, by all products; partners beyond the gallery have none. */
export function rankRef(
  queries: Float64Array,
  gallery: Float64Array,
  partner: Float64Array,
  E: number,
): [above: Float64Array, equal: Float64Array, own: Float64Array] {
  const [Q, N] = [partner.length, gallery.length / E];
  const [above, equal, own] = [new Float64Array(Q), new Float64Array(Q), new Float64Array(Q).fill(NaN)];
  for (let q = 0; q < Q; q++) {
    const dots = Array.from({ length: N }, (_, n) => {
      let dot = 0;
      for (let e = 0; e < E; e++) dot += queries[q * E + e]! * gallery[n * E + e]!;
      return dot;
    });
    if (!(partner[q]! < N)) continue;
    own[q] = dots[partner[q]!]!;
    dots.forEach((dot, n) => {
      if (n === partner[q]) return;
      if (dot > own[q]!) above[q]!++;
      else if (dot === own[q]) equal[q]!++;
    });
  }
  return [above, equal, own];
}
