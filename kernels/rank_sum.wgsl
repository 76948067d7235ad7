//! rank_sum: adds the counts of all slices of a part of the gallery to those of the parts before it, one invocation a query
//! above[m] += sum_s more[s,m], equal[m] += sum_s same[s,m]
//!
//! in     more   [S, M]   f32
//! in     same   [S, M]   f32
//! inout  above  [M]      u32
//! inout  equal  [M]      u32
//! param  at     u32            0 for the first part: what above and equal hold is then not read
//! tune   WG = 64         8 | 64
//! grid   fold ceil(M/WG)
//! flops  0
//! ref    tests/ref/rank.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg) * WG + lane;
  if (m >= p.M) { return; }
  var total = vec2u();
  if (p.at > 0u) { total = vec2u(above[m], equal[m]); }
  for (var s = 0u; s < p.S; s++) { total += vec2u(vec2f(more[s * p.M + m], same[s * p.M + m])); }
  above[m] = total.x;
  equal[m] = total.y;
}
