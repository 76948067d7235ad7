//! layernorm_bwd_input_flat: layernorm_bwd_input without barriers, one invocation a row
//! dx[m,d] = rstd[m] * (h - mean_d(h) - xh * mean_d(h * xh)), h = dy * gamma, xh = (x - mean) * rstd
//!
//! in     x       [M, D]   T
//! in     gamma   [D]      f32
//! in     stats   [M, 2]   f32   mean, rstd
//! in     dy      [M, D]   T
//! out    dx      [M, D]   T
//! tune   WG = 8                 8 | 32
//! grid   fold ceil(M/WG)
//! ref    tests/ref/layernorm.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg) * WG + lane;
  if (m >= p.M) { return; }
  let row = m * p.D;
  let mean = stats[m * 2u];
  let rstd = stats[m * 2u + 1u];
  var s: f32 = 0.0;
  var c: f32 = 0.0;
  for (var d = 0u; d < p.D; d++) {
    let h = f32(dy[row + d]) * gamma[d];
    s += h;
    c += h * (f32(x[row + d]) - mean) * rstd;
  }
  let meanH = s / f32(p.D);
  let meanHX = c / f32(p.D);
  for (var d = 0u; d < p.D; d++) {
    let xh = (f32(x[row + d]) - mean) * rstd;
    dx[row + d] = T(rstd * (f32(dy[row + d]) * gamma[d] - meanH - xh * meanHX));
  }
}
