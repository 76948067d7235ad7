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
fn keysOf(n: vec4u, word: u32) -> vec4u {
  let i = min(n, vec4u(p.N - 1u)) * 2u + word;
  return vec4u(key[i.x], key[i.y], key[i.z], key[i.w]);
}

// How many of four scores of query m, with gallery rows n and on, are above its own, and how many equal. Scores that are NaN,
// told by bits, are neither.
fn counts(s: vec4f, m: u32, n: u32) -> vec2f {
  let q = min(m, p.M - 1u);
  let rows = vec4u(n, n + 1u, n + 2u, n + 3u);
  let size = max(bitcast<vec4u>(s) & vec4u(0x7fffffffu), vec4u(bitcast<u32>(own[q]) & 0x7fffffffu));
  let other = (rows < vec4u(p.N)) & (rows + vec4u(p.at) != vec4u(partner[q])) & (size <= vec4u(0x7f800000u));
  let copy = (keysOf(rows, 0u) == vec4u(ownKey[q * 2u])) & (keysOf(rows, 1u) == vec4u(ownKey[q * 2u + 1u]));
  let limit = vec4f(own[q]);
  let more = dot(select(vec4f(), vec4f(1.0), (s > limit) & other & !copy), vec4f(1.0));
  return vec2f(more, dot(select(vec4f(), vec4f(1.0), ((s == limit) | copy) & other), vec4f(1.0)));
}

fn putCounts(more: vec4f, same: vec4f, s: u32, m: u32) {
  //!for r in 0..4
  if (m + $r < p.M) {
    above[s * p.M + m + $r] = more[$r];
    equal[s * p.M + m + $r] = same[$r];
  }
  //!end
}
//!end
