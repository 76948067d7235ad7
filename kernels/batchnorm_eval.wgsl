//! batchnorm_eval: normalise each column by running statistics, one invocation a column of a block of rows
//! y[m,d] = (x[m,d] - mean[d]) * rstd[d] * gamma[d] + beta[d], rstd = 1 / sqrt(running_var + eps)
//!
//! in     x             [M, D]   T
//! in?    gamma         [D]      f32
//! in?    beta          [D]      f32
//! in     running_mean  [D]      f32
//! in     running_var   [D]      f32
//! out    y             [M, D]   T
//! out?   stats         [2, D]   f32   mean, rstd; kept for batchnorm_bwd
//! param  eps           f32            added to the variance
//! tune   WG = 64                      8 | 32 | 64
//! lib    root
//! grid   ceil(D/WG), max(1, ceil(M/16))
//! flops  4*M*D
//! ref    tests/ref/batchnorm.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let d = wg.x * WG + lane;
  if (d >= p.D) { return; }
  let mean = running_mean[d];
  let rstd = inverseRoot(running_var[d] + p.eps);
  var scale = rstd;
  //!if gamma
  scale *= gamma[d];
  //!end
  var offset: f32 = 0.0;
  //!if beta
  offset = beta[d];
  //!end
  for (var m = wg.y * 16u; m < min(p.M, wg.y * 16u + 16u); m++) {
    y[m * p.D + d] = narrow((f32(x[m * p.D + d]) - mean) * scale + offset);
  }
  //!if stats
  if (wg.y == 0u) {
    stats[d] = mean;
    stats[p.D + d] = rstd;
  }
  //!end
}
