//! layernorm_fwd_flat: layernorm_fwd without barriers, one invocation a row
//! y[m,d] = (x[m,d] - mean[m]) * rstd[m] * gamma[d] + beta[d]
//!
//! in     x      [M, D]   T
//! in     gamma  [D]      f32
//! in     beta   [D]      f32
//! out    y      [M, D]   T
//! out?   stats  [M, 2]   f32   mean, rstd; kept for layernorm_bwd_*
//! param  eps    f32            added to the variance
//! tune   WG = 8                8 | 32
//! grid   fold ceil(M/WG)
//! ref    tests/ref/layernorm.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg) * WG + lane;
  if (m >= p.M) { return; }
  let row = m * p.D;
  var s: f32 = 0.0;
  for (var d = 0u; d < p.D; d++) { s += f32(x[row + d]); }
  let mean = s / f32(p.D);
  var v: f32 = 0.0;
  for (var d = 0u; d < p.D; d++) {
    let c = f32(x[row + d]) - mean;
    v += c * c;
  }
  let rstd = inverseSqrt(v / f32(p.D) + p.eps);
  for (var d = 0u; d < p.D; d++) { y[row + d] = T((f32(x[row + d]) - mean) * rstd * gamma[d] + beta[d]); }
  //!if stats
  stats[m * 2u] = mean;
  stats[m * 2u + 1u] = rstd;
  //!end
}
