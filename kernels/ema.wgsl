//! ema: running mean of the weights of a buffer, in place
//! mean = keep mean + (1 - keep) w
//!
//! in     w       [n]      f32
//! inout  mean    [n]      f32
//! param  keep    f32
//! param  rest    f32         1 - keep, rounded once
//! tune   WG = 64          64 | 256
//! grid   fold ceil(n/WG)
//! flops  3*n
//! ref    tests/ref/ema.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.n) { return; }
  mean[i] = p.keep * mean[i] + p.rest * w[i];
}
