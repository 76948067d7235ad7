//! segments_count: first step of a stable counting sort by one byte of the keys, one invocation a block of 256 keys
//! count[s, d] = number of i in block s with byte(min(key[i], V)) = d, byte(k) = (k >> shift) & 255
//!
//! in     key    [n]        u32
//! out    count  [S, 256]   u32
//! param  V      u32
//! param  shift  u32
//! tune   WG = 8            8 | 32
//! grid   fold ceil(S/WG)
//! flops  0
//! ref    tests/ref/gather.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = folded(wg, nwg) * WG + lane;
  if (s >= p.S) { return; }
  let base = s * 256u;
  for (var d = 0u; d < 256u; d++) { count[base + d] = 0u; }
  for (var i = base; i < min(base + 256u, p.n); i++) {
    let d = (min(key[i], p.V) >> p.shift) & 255u;
    count[base + d] = count[base + d] + 1u;
  }
}
