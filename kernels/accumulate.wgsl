//! accumulate: add a gradient to the one a parameter already has
//! y[i] = y[i] + x[i]
//!
//! inout  y  [n]   f32
//! in     x  [n]   T
//! tune   WG = 256        64 | 256
//! grid   fold ceil(n/WG)
//! flops  n
//! ref    tests/ref/elementwise.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i < p.n) { y[i] = y[i] + f32(x[i]); }
}
