//! segment_softmax_stats: largest score of a segment and one over its sum of exponentials, 0 where nothing counts
//! stats[n,0] = max_q top[q,n], stats[n,1] = 1 / sum_q total[q,n] * exp(top[q,n] - stats[n,0])
//!
//! in     top    [S, N]   f32
//! in     total  [S, N]   f32
//! out    stats  [N, 2]   f32
//! tune   WG = 64         8 | 64
//! grid   fold ceil(N/WG)
//! ref    tests/ref/segment_softmax.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n = folded(wg, nwg) * WG + lane;
  if (n >= p.N) { return; }
  var most = top[n];
  for (var q = 1u; q < p.S; q++) { most = max(most, top[q * p.N + n]); }
  var sum: f32 = 0.0;
  for (var q = 0u; q < p.S; q++) { sum += total[q * p.N + n] * exp(top[q * p.N + n] - most); }
  stats[2u * n] = most;
  stats[2u * n + 1u] = select(1.0 / sum, 0.0, sum == 0.0);
}
