//! segment_softmax_bwd: gradient of the softmax over the rows of each segment, from its result
//! dx[j,h] = y[j,h] * (dy[j,h] - dot_[n]), n = b * H + h, j in segment b; 0 where y is
//!
//! in     y      [R, H]   T
//! in     dy     [R, H]   T
//! in     bound  [E]      u32
//! in     dot_   [N]      f32
//! out    dx     [R, H]   T
//! tune   WG = 64         8 | 64
//! lib    segment
//! grid   fold ceil(R*H/WG)
//! flops  2*R*H
//! ref    tests/ref/segment_softmax.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.R * p.H) { return; }
  let j = i / p.H;
  let b = segmentOf(j);
  let w = f32(y[i]);
  var v: f32 = 0.0;
  // Bits, not values: a NaN is not 0.
  if (b + 1u < p.E && (bitcast<u32>(w) & 0x7fffffffu) != 0u) { v = w * (f32(dy[i]) - dot_[b * p.H + (i - j * p.H)]); }
  dx[i] = narrow(v);
}
