//! rank_keys: 64 bits that tell the rows of a matrix apart, from the bits of all its elements, one invocation a row
//! key[n,:] = mixed words of b[n,:]; copies of a row have its key, whatever rounds their scores
//!
//! in     b    [N, K]   W/4
//! out    key  [N, 2]   u32
//! tune   WG = 64         8 | 64
//! grid   fold ceil(N/WG)
//! flops  0
//! ref    tests/ref/rank.ts

fn bits(row: u32, k: u32) -> vec4u {
  //!if vec=4
  return bitcast<vec4u>(b_load4(row + k));
  //!else
  return select(vec4u(), bitcast<vec4u>(b_load4(row + k)), vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(p.K));
  //!end
}

// Sums of products with numbers of the place, of both halves of a word: whatever differs shows but once in 2^32.
fn mixed(h: vec4u, v: vec4u) -> vec4u { return (h + v) * vec4u(0x9e3779b1u, 0x85ebca6bu, 0xc2b2ae35u, 0x27d4eb2fu) + (v >> vec4u(15u)); }

fn last(a: u32, b: u32) -> u32 {
  let h = (a ^ (b >> 15u) ^ (b << 17u)) * 0x85ebca6bu;
  return (h ^ (h >> 13u)) * 0xc2b2ae35u;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n = folded(wg, nwg) * WG + lane;
  if (n >= p.N) { return; }
  let row = n * p.K;
  //!for q in 0..4
  var h$q = vec4u($q);
  //!end
  var k: u32 = 0u;
  // Sixteen elements, a cache line, at a time, in four chains.
  for (; k + 15u < p.K; k += 16u) {
    //!for q in 0..4
    h$q = mixed(h$q, bits(row, k + 4u * $q));
    //!end
  }
  for (; k < p.K; k += 4u) { h0 = mixed(h0, bits(row, k)); }
  let a = mixed(mixed(h0, h1), mixed(h2, h3));
  key[n * 2u] = last(a.x, a.y) + a.z;
  key[n * 2u + 1u] = last(a.z, a.w) + a.y;
}
