//! segments_columns: sum of the columns that share a key, in their order
//! y[m, c] = sum_j x[m, order[j]], bound[c] <= j < bound[c + 1]
//!
//! in     x      [M, K]   T
//! in     order  [K]      u32
//! in     bound  [E]      u32   E = C + 1
//! out    y      [M, C]   T
//! tune   WG = 64         64 | 256
//! grid   fold ceil(M*C/WG)
//! flops  M*K
//! ref    tests/ref/scatter.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.M * p.C) { return; }
  let m = i / p.C;
  let c = i - m * p.C;
  var sum: f32 = 0.0;
  for (var j = bound[c]; j < bound[c + 1u]; j++) { sum += f32(x[m * p.K + order[j]]); }
  y[i] = narrow(sum);
}
