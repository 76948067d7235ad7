//! l2_normalize_bwd_flat: l2_normalize_bwd without barriers, one invocation a row
//! dx = (dy - xh * sum_d(dy * xh)) / norm, xh = x / norm; dx = dy / eps where norm < eps
//!
//! in     x     [M, D]   T/4
//! in     norm  [M]      f32
//! in     dy    [M, D]   T/4
//! out    dx    [M, D]   T/4
//! param  eps   f32
//! tune   WG = 8               8 | 32
//! grid   fold ceil(M/WG)
//! flops  5*M*D
//! lib    rows
//! ref    tests/ref/l2_normalize.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg) * WG + lane;
  if (m >= p.M) { return; }
  let row = m * p.D;
  let divisor = max(norm[m], p.eps);
  // Sixteen elements, a cache line, at a time: an invocation's lines are evicted by its neighbours' otherwise.
  var s = vec4f();
  var d: u32 = 0u;
  for (; d + 15u < p.D; d += 16u) {
    //!for q in 0..4
    s += dy_load4(row + d + 4u * $q) * (x_load4(row + d + 4u * $q) / divisor);
    //!end
  }
  for (; d < p.D; d += 4u) { s += within(dy_load4(row + d) * (x_load4(row + d) / divisor), d, 0.0); }
  // Below eps the divisor is a constant.
  let dot = select(0.0, 1.0, norm[m] >= p.eps) * sum4(s);
  for (d = 0u; d + 15u < p.D; d += 16u) {
    //!for q in 0..4
    let v$q = dy_load4(row + d + 4u * $q) - x_load4(row + d + 4u * $q) / divisor * dot;
    dx_store4(row + d + 4u * $q, v$q / divisor);
    //!end
  }
  for (; d < p.D; d += 4u) { putDx(row, d, (dy_load4(row + d) - x_load4(row + d) / divisor * dot) / divisor); }
}
