/** The k largest dot products of each query by sorting all of them; ties by lower index. */
export function topkRef(
  queries: Float64Array,
  gallery: Float64Array,
  E: number,
  k: number,
): [scores: Float64Array, indices: Float64Array] {
  const [Q, N] = [queries.length / E, gallery.length / E];
  const scores = new Float64Array(Q * k);
  const indices = new Float64Array(Q * k);
  for (let q = 0; q < Q; q++) {
    const all = Array.from({ length: N }, (_, n) => {
      let dot = 0;
      for (let e = 0; e < E; e++) dot += queries[q * E + e]! * gallery[n * E + e]!;
      return { n, dot };
    }).sort((a, b) => b.dot - a.dot || a.n - b.n);
    all.slice(0, k).forEach(({ n, dot }, j) => {
      scores[q * k + j] = dot;
      indices[q * k + j] = n;
    });
  }
  return [scores, indices];
}
