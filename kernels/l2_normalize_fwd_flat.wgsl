//! l2_normalize_fwd_flat: l2_normalize_fwd without barriers, one invocation a row
//! y[m,d] = x[m,d] / max(norm[m], eps), norm[m] = sqrt(sum_d x[m,d]^2)
//!
//! in     x     [M, D]   T/4
//! out    y     [M, D]   T/4
//! out?   norm  [M]      f32   kept for l2_normalize_bwd
//! param  eps   f32
//! tune   WG = 8               8 | 32
//! grid   fold ceil(M/WG)
//! flops  3*M*D
//! lib    rows root l2_norm
//! ref    tests/ref/l2_normalize.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg) * WG + lane;
  if (m >= p.M) { return; }
  let row = m * p.D;
  // Sixteen elements, a cache line, at a time: an invocation's lines are evicted by its neighbours' otherwise.
  var s = mat2x4f();
  var d: u32 = 0u;
  for (; d + 15u < p.D; d += 16u) {
    //!for q in 0..4
    s += squares(x_load4(row + d + 4u * $q));
    //!end
  }
  for (; d < p.D; d += 4u) { s += squares(within(x_load4(row + d), d, 0.0)); }
  let length = rowNorm(vec2f(sum4(s[0]), sum4(s[1])));
  let divisor = max(length, p.eps);
  for (d = 0u; d + 3u < p.D; d += 4u) { y_store4(row + d, x_load4(row + d) / divisor); }
  if (d < p.D) { putY(row, d, x_load4(row + d) / divisor); }
  //!if norm
  norm[m] = length;
  //!end
}
