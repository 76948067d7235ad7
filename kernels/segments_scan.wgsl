//! segments_scan: second step of a stable counting sort, one invocation a digit
//! count[s, d] = sum_t count[t, d], t < s; total[d] = sum_t count[t, d]
//!
//! inout  count  [S, 256]   u32
//! out    total  [256]      u32
//! tune   WG = 8            8 | 32 | 64
//! grid   256/WG
//! flops  0
//! ref    tests/ref/gather.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let d = wg.x * WG + lane;
  var run = 0u;
  for (var s = 0u; s < p.S; s++) {
    let c = count[s * 256u + d];
    count[s * 256u + d] = run;
    run += c;
  }
  total[d] = run;
}
