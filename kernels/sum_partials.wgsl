//! sum_partials: second stage of a two-stage sum, in fixed order
//! y[i] = sum_s part[s,i]
//!
//! in     part   [S, n]   f32
//! out    y      [n]      f32
//! tune   WG = 64         8 | 32 | 64 | 256
//! grid   fold ceil(n/WG)
//! flops  S*n
//! ref    tests/ref/elementwise.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.n) { return; }
  var total: f32 = 0.0;
  for (var s = 0u; s < p.S; s++) { total += part[s * p.n + i]; }
  y[i] = total;
}
