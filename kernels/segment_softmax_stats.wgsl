//! segment_softmax_stats: largest score of a segment and one over its sum of exponentials, 0 where nothing counts
//! stats[n,0] = max_q top[q,n], stats[n,1] = 1 / sum_q total[q,n] * exp(top[q,n] - stats[n,0])
//!
//! in     top    [S, N]   f32
//! in     total  [S, N]   f32
//! out    stats  [N, 2]   f32
//! tune   WG = 64         8 | 64
//! lib    logits
//! grid   fold ceil(N/WG)
//! flops  3*S*N
//! ref    tests/ref/segment_softmax.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n = folded(wg, nwg) * WG + lane;
  if (n >= p.N) { return; }
  var most = top[n];
  for (var q = 1u; q < p.S; q++) { most = max(most, top[q * p.N + n]); }
  var sum: f32 = 0.0;
  var broken = false;
  for (var q = 0u; q < p.S; q++) {
    let part = total[q * p.N + n];
    broken = broken || part >= BROKEN;
    sum += part * power(top[q * p.N + n] - most);
  }
  stats[2u * n] = most;
  // Nothing counts where all is masked; a score that is no number makes NaN of its segment, by bits.
  let inverse = select(0.0, 1.0 / max(sum, 1.0), most > LEAST);
  stats[2u * n + 1u] = bitcast<f32>(select(bitcast<u32>(inverse), 0x7fc00000u, broken));
}
