// What gallery rows are worth beside the partner of a query.

//!if above
// Of a query: place and score of the partner, the key of its row, and whether the score is a number, told by bits.
struct Query { place: u32, limit: f32, key: vec2u, valid: bool }

fn queryOf(m: u32) -> Query {
  let q = min(m, p.M - 1u);
  let limit = own[q];
  let valid = (bitcast<u32>(limit) & 0x7fffffffu) <= 0x7f800000u;
  return Query(partner[q], limit, vec2u(ownKey[q * 2u], ownKey[q * 2u + 1u]), valid);
}

// One word of the keys of four gallery rows.
fn keysOf(n: u32, word: u32) -> vec4u {
  let i = min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(p.N - 1u)) * 2u + word;
  return vec4u(key[i.x], key[i.y], key[i.z], key[i.w]);
}

// How many of four scores, with gallery rows n and on, are above the query's own, and how many equal. Scores that are NaN,
// told by bits, are neither.
fn counts(s: vec4f, q: Query, n: u32, a: vec4u, b: vec4u) -> vec2f {
  let rows = vec4u(n, n + 1u, n + 2u, n + 3u);
  let number = (bitcast<vec4u>(s) & vec4u(0x7fffffffu)) <= vec4u(0x7f800000u);
  let other = (rows < vec4u(p.N)) & (rows + vec4u(p.at) != vec4u(q.place)) & number & vec4<bool>(q.valid);
  let copy = ((a ^ vec4u(q.key.x)) | (b ^ vec4u(q.key.y))) == vec4u(0u);
  let limit = vec4f(q.limit);
  let more = dot(select(vec4f(), vec4f(1.0), (s > limit) & other & !copy), vec4f(1.0));
  return vec2f(more, dot(select(vec4f(), vec4f(1.0), ((s == limit) | copy) & other), vec4f(1.0)));
}
//!end
