//! segment_softmax_dot: product of weights and their gradients over every S-th row of a segment
//! part[q,n] = sum_j y[j,h] * dy[j,h], n = b * H + h, over the rows j = bound[b] + q, + S, ... below bound[b + 1]; rows of
//! weight 0 are not looked at
//!
//! in     y      [R, H]   T
//! in     dy     [R, H]   T
//! in     bound  [E]      u32
//! out    part   [S, N]   f32
//! tune   WG = 64         8 | 64
//! grid   fold ceil(S*N/WG)
//! flops  2*R*H
//! ref    tests/ref/segment_softmax.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.S * p.N) { return; }
  let q = i / p.N;
  let n = i - q * p.N;
  let b = n / p.H;
  let h = n - b * p.H;
  let end = min(bound[b + 1u], p.R);
  var sum: f32 = 0.0;
  for (var j = bound[b] + q; j < end; j += p.S) {
    let v = f32(y[j * p.H + h]);
    sum += select(v * f32(dy[j * p.H + h]), 0.0, v == 0.0);
  }
  part[i] = sum;
}
