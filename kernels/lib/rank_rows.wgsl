// What rank_count and rank_count_flat share: which gallery rows a tile takes, and what becomes of their scores.

// First `left` elements of v, zeros after them.
fn keep(v: vec4f, left: u32) -> vec4f { return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(left)); }

// Gallery rows of slice s: first and end. Partners are one tile.
fn slice(s: u32) -> vec2u {
  //!if score
  return vec2u(0u, 1u);
  //!else
  return vec2u(s * p.step, min(p.N, (s + 1u) * p.step));
  //!end
}
fn four(m: u32) -> vec4u { return min(vec4u(m, m + 1u, m + 2u, m + 3u), vec4u(p.M - 1u)); }

// Places of four gallery rows: those from n0 + j on, or the partners of queries m0 + j and on.
fn columns(m0: u32, n0: u32, j: u32) -> vec4u {
  //!if score
  let m = four(m0 + j);
  let row = vec4u(partner[m.x], partner[m.y], partner[m.z], partner[m.w]) - vec4u(p.at);
  return min(row, vec4u(p.N - 1u)) * p.K;
  //!else
  return baseB(0u, n0 + j);
  //!end
}

//!if score
fn keepScore(m: u32, v: vec4f) {
  //!for r in 0..4
  if (m + $r < p.M) {
    let row = partner[m + $r];
    if (row >= p.at && row - p.at < p.N) {
      score[m + $r] = v[$r];
      partnerKey[(m + $r) * 2u] = key[(row - p.at) * 2u];
      partnerKey[(m + $r) * 2u + 1u] = key[(row - p.at) * 2u + 1u];
    } else if (p.at == 0u) {
      // Not a constant expression: compilers refuse a NaN that they can see.
      score[m + $r] = bitcast<f32>(row | 0x7fc00000u);
    }
  }
  //!end
}
//!else
fn putCounts(more: vec4f, same: vec4f, s: u32, m: u32) {
  //!for r in 0..4
  if (m + $r < p.M) {
    above[s * p.M + m + $r] = more[$r];
    equal[s * p.M + m + $r] = same[$r];
  }
  //!end
}
//!end
