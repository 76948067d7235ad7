//! sum_pair: sum of two gradients of the same tensor
//! y[i] = a[i] + b[i]
//!
//! in     a  [n]   T
//! in     b  [n]   T
//! out    y  [n]   T
//! tune   WG = 256        64 | 256
//! grid   fold ceil(n/WG)
//! flops  n
//! ref    tests/ref/elementwise.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i < p.n) { y[i] = narrow(f32(a[i]) + f32(b[i])); }
}
