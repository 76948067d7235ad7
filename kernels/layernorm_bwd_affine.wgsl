//! layernorm_bwd_affine: partial gradients of gamma and beta over blocks of rows, one invocation a column
//! dgamma[s,d] = sum_m dy[m,d] * (x[m,d] - mean[m]) * rstd[m], dbeta[s,d] = sum_m dy[m,d], m in block s of ceil(M/S) rows
//!
//! in     x       [M, D]   T
//! in     stats   [M, 2]   f32   mean, rstd
//! in     dy      [M, D]   T
//! out    dgamma  [S, D]   f32
//! out    dbeta   [S, D]   f32
//! tune   WG = 64          8 | 32 | 64
//! grid   ceil(D/WG), S
//! flops  5*M*D
//! ref    tests/ref/layernorm.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let d = wg.x * WG + lane;
  if (d >= p.D) { return; }
  let rows = (p.M + p.S - 1u) / p.S;
  var g: f32 = 0.0;
  var b: f32 = 0.0;
  for (var m = wg.y * rows; m < min(p.M, (wg.y + 1u) * rows); m++) {
    let dyv = f32(dy[m * p.D + d]);
    g += dyv * (f32(x[m * p.D + d]) - stats[m * 2u]) * stats[m * 2u + 1u];
    b += dyv;
  }
  dgamma[wg.y * p.D + d] = g;
  dbeta[wg.y * p.D + d] = b;
}
