//! fill: set every element to one value
//! y[i] = value
//!
//! out    y      [n]   T
//! param  value  f32
//! tune   WG = 256        64 | 256
//! grid   fold ceil(n/WG)
//! flops  0
//! ref    tests/ref/elementwise.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i < p.n) { y[i] = narrow(p.value); }
}
