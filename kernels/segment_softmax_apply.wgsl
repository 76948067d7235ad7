//! segment_softmax_apply: softmax over the rows of each segment, from its statistics
//! y[j,h] = exp(x[j,h] - stats[n,0]) * stats[n,1], n = b * H + h, j in segment b; 0 where the mask is 0 and outside of segments
//!
//! in     x      [R, H]   T
//! in     bound  [E]      u32
//! in?    mask   [R]      u32
//! in     stats  [N, 2]   f32
//! out    y      [R, H]   T
//! tune   WG = 64         8 | 64
//! lib    segment logits
//! grid   fold ceil(R*H/WG)
//! flops  2*R*H
//! ref    tests/ref/segment_softmax.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.R * p.H) { return; }
  let j = i / p.H;
  let b = segmentOf(j);
  var counts = b + 1u < p.E;
  //!if mask
  counts = counts && mask[j] != 0u;
  //!end
  var v: f32 = 0.0;
  if (counts) {
    let n = b * p.H + (i - j * p.H);
    let inverse = bitcast<u32>(stats[2u * n + 1u]);
    let weight = power(finite4(vec4f(f32(x[i]))).x - stats[2u * n]) * stats[2u * n + 1u];
    v = bitcast<f32>(select(bitcast<u32>(weight), inverse, inverse > 0x7f800000u));
  }
  y[i] = narrow(v);
}
