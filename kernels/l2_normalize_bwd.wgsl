//! l2_normalize_bwd: gradient of l2_normalize
//! dx = (dy - xh * sum_d(dy * xh)) / norm, xh = x / norm; dx = dy / eps where norm < eps
//!
//! in     x     [M, D]   T/4
//! in     norm  [M]      f32
//! in     dy    [M, D]   T/4
//! out    dx    [M, D]   T/4
//! param  eps   f32
//! tune   WG = 64              32 | 64 | 128 | 256
//! grid   fold M               one workgroup a row
//! flops  5*M*D
//! lib    reduce rows
//! ref    tests/ref/l2_normalize.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg);
  if (m >= p.M) { return; }
  let row = m * p.D;
  let divisor = max(norm[m], p.eps);
  var s = vec4f();
  for (var d = lane * 4u; d < p.D; d += WG * 4u) {
    s += within(dy_load4(row + d) * (x_load4(row + d) / divisor), d, 0.0);
  }
  // Below eps the divisor is a constant.
  let dot = select(0.0, 1.0, norm[m] >= p.eps) * reduceSum(sum4(s), lane);
  for (var d = lane * 4u; d < p.D; d += WG * 4u) {
    putDx(row, d, (dy_load4(row + d) - x_load4(row + d) / divisor * dot) / divisor);
  }
}
