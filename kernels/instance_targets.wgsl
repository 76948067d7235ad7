//! instance_targets: targets of the highest and lowest rows of each segment
//! place of row j: rows of its segment that are higher, equal ones counted by their order; n rows, m = min(k, n / 2)
//! among the m highest: t[j,c,1] = w[b,c,0] / 2m and t[j,c,0] = w[b,c,1] / m; among the m lowest: t[j,c,0] = w[b,c,0] / 2m;
//! all others and rows outside of segments: 0
//!
//! in     s      [R]         f32
//! in     bound  [E]         u32
//! in     w      [B, C, 2]   f32   weight of the segment's class, and of classes that it is not of; B = E - 1
//! out    t      [R, C, 2]   f32
//! param  k      u32
//! tune   WG = 64            8 | 64
//! lib    segment
//! grid   fold ceil(R/WG)
//! flops  R
//! ref    tests/ref/instance_targets.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let j = folded(wg, nwg) * WG + lane;
  if (j >= p.R) { return; }
  let b = segmentOf(j);
  var high = 0.0;
  var low = 0.0;
  if (b + 1u < p.E) {
    let first = bound[b];
    let end = bound[b + 1u];
    let m = min(p.k, (end - first) / 2u);
    let own = s[j];
    var above = 0u;
    var below = 0u;
    // Most rows are soon known to be neither.
    for (var i = first; i < end && (above < m || below < m); i++) {
      let other = s[i];
      above += u32(other > own || (other == own && i < j));
      below += u32(other < own || (other == own && i > j));
    }
    if (above < m) { high = 1.0 / f32(m); }
    else if (below < m) { low = 1.0 / f32(m); }
  }
  for (var c = 0u; c < p.C; c++) {
    var is = 0.0;
    var not = 0.0;
    if (high + low > 0.0) {
      is = w[2u * (b * p.C + c)];
      not = w[2u * (b * p.C + c) + 1u];
    }
    t[2u * (j * p.C + c)] = 0.5 * low * is + high * not;
    t[2u * (j * p.C + c) + 1u] = 0.5 * high * is;
  }
}
