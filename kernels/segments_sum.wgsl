//! segments_sum: sum of the rows that share a key, in their order; long segments through the sums of segments_carry
//! y[v * D + c] = sum_j x[order[j] * D + c], bound[v] <= j < bound[v + 1], c < D, in units of U elements
//!
//! in     x      [X, U]   T/4    U is 4 where the width of a row allows it, else 1
//! in     order  [n]      u32
//! in     bound  [E]      u32
//! in?    carry  [Z, U]   f32/4  where n > 256
//! out?   y      [Y, U]   T/4
//! out?   total  [Y, U]   f32/4  instead of y
//! param  D      u32
//! tune   WG = 64         8 | 64
//! lib    unit
//! grid   fold ceil(Y/WG)
//! flops  n*D*U
//! ref    tests/ref/scatter.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.Y) { return; }
  let v = i / p.D;
  let c = i - v * p.D;
  let first = bound[v];
  let end = bound[v + 1u];
  var sum: Wide = Wide();
  for (var j = first; j < min(end, ((first >> 8u) + 1u) << 8u); j++) { sum += Wide(x[order[j] * p.D + c]); }
  //!if carry
  for (var h = (first >> 8u) + 1u; (h << 8u) < end; h++) { sum += carry[h * p.D + c]; }
  //!end
  //!if y
  y[i] = toUnit(sum);
  //!else
  total[i] = sum;
  //!end
}
