// What gallery rows are worth beside the partner of a query.

//!if above
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
//!end
