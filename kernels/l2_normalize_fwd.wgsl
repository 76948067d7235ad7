//! l2_normalize_fwd: divide each row by its Euclidean norm
//! y[m,d] = x[m,d] / max(norm[m], eps), norm[m] = sqrt(sum_d x[m,d]^2)
//!
//! in     x     [M, D]   T/4
//! out    y     [M, D]   T/4
//! out?   norm  [M]      f32   kept for l2_normalize_bwd
//! param  eps   f32
//! tune   WG = 64              32 | 64 | 128 | 256
//! grid   fold M               one workgroup a row
//! flops  3*M*D
//! lib    reduce_pair rows root l2_norm
//! ref    tests/ref/l2_normalize.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg);
  if (m >= p.M) { return; }
  let row = m * p.D;
  var s = mat2x4f();
  for (var d = lane * 4u; d < p.D; d += WG * 4u) { s += squares(within(x_load4(row + d), d, 0.0)); }
  let length = rowNorm(reducePair(vec2f(sum4(s[0]), sum4(s[1])), lane));
  let divisor = max(length, p.eps);
  for (var d = lane * 4u; d < p.D; d += WG * 4u) { putY(row, d, x_load4(row + d) / divisor); }
  //!if norm
  if (lane == 0u) { norm[m] = length; }
  //!end
}
