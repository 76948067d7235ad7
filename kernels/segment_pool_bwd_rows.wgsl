//! segment_pool_bwd_rows: gradient of the rows of a weighted sum over segments
//! dx[j,c] = sum_h w[j,h] * dy[b,h,c], j in segment b, c < D, in units of U elements; 0 outside of segments
//!
//! in     w      [R, H]   T
//! in     bound  [E]      u32
//! in     dy     [Y, U]   f32/4  Y = (E - 1) * H * D
//! out    dx     [X, U]   T/4    U is 4 where the width of a row allows it, else 1; X = R * D
//! param  D      u32
//! tune   WG = 64         8 | 64
//! lib    segment unit
//! grid   fold ceil(X/WG)
//! flops  2*X*U*H
//! ref    tests/ref/segment_pool.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.X) { return; }
  let j = i / p.D;
  let c = i - j * p.D;
  let b = segmentOf(j);
  var sum: Wide = Wide();
  if (b + 1u < p.E) {
    for (var h = 0u; h < p.H; h++) { sum += f32(w[j * p.H + h]) * dy[(b * p.H + h) * p.D + c]; }
  }
  dx[i] = toUnit(sum);
}
