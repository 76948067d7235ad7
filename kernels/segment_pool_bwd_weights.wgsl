//! segment_pool_bwd_weights: gradient of the weights of a weighted sum over segments
//! dw[j,h] = sum_c x[j,c] * dy[b,h,c], j in segment b; 0 outside of segments
//!
//! in     x      [X, U]   T/4    U is 4 where the width of a row allows it, else 1; X = R * D
//! in     bound  [E]      u32
//! in     dy     [Y, U]   f32/4  Y = (E - 1) * H * D
//! out    dw     [R, H]   T
//! param  D      u32
//! tune   WG = 64         8 | 64
//! lib    segment unit
//! grid   fold ceil(R*H/WG)
//! flops  2*R*H*D*U
//! ref    tests/ref/segment_pool.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.R * p.H) { return; }
  let j = i / p.H;
  let b = segmentOf(j);
  var sum: Wide = Wide();
  if (b + 1u < p.E) {
    let at = (b * p.H + (i - j * p.H)) * p.D;
    for (var c = 0u; c < p.D; c++) { sum += Wide(x[j * p.D + c]) * dy[at + c]; }
  }
  //!if vec=4
  dw[i] = narrow((sum.x + sum.y) + (sum.z + sum.w));
  //!else
  dw[i] = narrow(sum);
  //!end
}
