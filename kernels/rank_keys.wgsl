//! rank_keys: 64 bits that tell the rows of a matrix apart, from the bits of all its elements, one invocation a row
//! key[n,:] = mixed words of b[n,:]; copies of a row have its key, whatever rounds their scores
//!
//! in     b    [N, K]   W/4
//! out    key  [N, 2]   u32
//! tune   WG = 64         8 | 64
//! grid   fold ceil(N/WG)
//! ref    tests/ref/rank.ts

fn turned(v: vec4u) -> vec4u { return (v << vec4u(13u)) | (v >> vec4u(19u)); }

fn mixed(h: vec4u, row: u32, k: u32) -> vec4u {
  //!if vec=4
  let v = bitcast<vec4u>(b_load4(row + k));
  //!else
  let left = vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(p.K);
  let v = select(vec4u(), bitcast<vec4u>(b_load4(row + k)), left);
  //!end
  return turned((h ^ v) * vec4u(0x9e3779b1u));
}

fn last(a: u32, b: u32) -> u32 {
  let h = (a ^ (b >> 15u) ^ (b << 17u)) * 0x85ebca6bu;
  return (h ^ (h >> 13u)) * 0xc2b2ae35u;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n = folded(wg, nwg) * WG + lane;
  if (n >= p.N) { return; }
  let row = n * p.K;
  var h = vec4u(1u, 2u, 3u, 4u);
  var k: u32 = 0u;
  // Sixteen elements, a cache line, at a time.
  for (; k + 15u < p.K; k += 16u) {
    //!for q in 0..4
    h = mixed(h, row, k + 4u * $q);
    //!end
  }
  for (; k < p.K; k += 4u) { h = mixed(h, row, k); }
  key[n * 2u] = last(h.x, h.y) + h.z;
  key[n * 2u + 1u] = last(h.z, h.w) + h.y;
}
