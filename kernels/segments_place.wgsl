//! segments_place: third step of a stable counting sort, one invocation a block of 256 keys, which moves in order
//! placed[j] = order[i], sorted[j] = min(key[i], V), j = keys of lower digits + those of this digit before i
//!
//! in     key     [n]        u32
//! in?    order   [n]        u32   what moves with the keys; without it their numbers
//! in     total   [256]      u32
//! inout  count   [S, 256]   u32   keys of the same digit in earlier blocks; used up
//! out    sorted  [n]        u32
//! out    placed  [n]        u32
//! param  V       u32
//! param  shift   u32
//! tune   WG = 8             8 | 32
//! grid   fold ceil(S/WG)
//! flops  0
//! ref    tests/ref/gather.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = folded(wg, nwg) * WG + lane;
  if (s >= p.S) { return; }
  let base = s * 256u;
  var lower = 0u;
  for (var d = 0u; d < 256u; d++) {
    count[base + d] = count[base + d] + lower;
    lower += total[d];
  }
  for (var i = base; i < min(base + 256u, p.n); i++) {
    let k = min(key[i], p.V);
    let d = (k >> p.shift) & 255u;
    let j = count[base + d];
    count[base + d] = j + 1u;
    sorted[j] = k;
    //!if order
    placed[j] = order[i];
    //!else
    placed[j] = i;
    //!end
  }
}
