/** Symmetric InfoNCE in float64, with the whole matrix. */
export function infoNceRef(a: Float64Array, b: Float64Array, scale: number, B: number): Float64Array {
  const E = a.length / B;
  const x = Array.from({ length: B }, (_, i) =>
    Array.from({ length: B }, (_, j) => {
      let dot = 0;
      for (let e = 0; e < E; e++) dot += a[i * E + e]! * b[j * E + e]!;
      return scale * dot;
    }));
  const lse = (v: number[]) => {
    const top = Math.max(...v);
    return top + Math.log(v.reduce((sum, w) => sum + Math.exp(w - top), 0));
  };
  let loss = 0;
  for (let i = 0; i < B; i++) loss += (lse(x[i]!) + lse(x.map((row) => row[i]!))) / 2 - x[i]![i]!;
  return Float64Array.of(loss / B);
}

/** Gradients by the formula: w = (exp(x - r) + exp(x - c) - 2 I) / (2 B). */
export function infoNceGradRef(a: Float64Array, b: Float64Array, scale: number, B: number, dloss: number) {
  const E = a.length / B;
  const s = Array.from({ length: B * B }, (_, ij) => {
    let dot = 0;
    for (let e = 0; e < E; e++) dot += a[Math.floor(ij / B) * E + e]! * b[(ij % B) * E + e]!;
    return dot;
  });
  const r = new Float64Array(B);
  const c = new Float64Array(B);
  for (let i = 0; i < B; i++) {
    let [rowTop, colTop, row, col] = [-Infinity, -Infinity, 0, 0];
    for (let j = 0; j < B; j++) {
      rowTop = Math.max(rowTop, scale * s[i * B + j]!);
      colTop = Math.max(colTop, scale * s[j * B + i]!);
    }
    for (let j = 0; j < B; j++) {
      row += Math.exp(scale * s[i * B + j]! - rowTop);
      col += Math.exp(scale * s[j * B + i]! - colTop);
    }
    r[i] = rowTop + Math.log(row);
    c[i] = colTop + Math.log(col);
  }
  const da = new Float64Array(a.length);
  const db = new Float64Array(b.length);
  let dscale = 0;
  for (let i = 0; i < B; i++) {
    for (let j = 0; j < B; j++) {
      const x = scale * s[i * B + j]!;
      const w = dloss * (Math.exp(x - r[i]!) + Math.exp(x - c[j]!) - (i === j ? 2 : 0)) / (2 * B);
      dscale += w * s[i * B + j]!;
      for (let e = 0; e < E; e++) {
        da[i * E + e]! += w * scale * b[j * E + e]!;
        db[j * E + e]! += w * scale * a[i * E + e]!;
      }
    }
  }
  return { a: da, b: db, scale: Float64Array.of(dscale) };
}
