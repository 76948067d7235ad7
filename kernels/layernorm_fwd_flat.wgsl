//! layernorm_fwd_flat: layernorm_fwd without barriers, one invocation a row
//! y[m,d] = (x[m,d] - mean[m]) * rstd[m] * gamma[d] + beta[d]
//!
//! in     x      [M, D]   T/4
//! in?    gamma  [D]      f32/4
//! in?    beta   [D]      f32/4
//! out    y      [M, D]   T/4
//! out?   stats  [M, 2]   f32   mean, rstd; kept for layernorm_bwd_*
//! param  eps    f32            added to the variance
//! tune   WG = 8                8 | 32
//! grid   fold ceil(M/WG)
//! flops  8*M*D
//! lib    rows root
//! ref    tests/ref/layernorm.ts

fn result(row: u32, d: u32, shift: f32, mean: f32, rstd: f32) -> vec4f {
  var v = (x_load4(row + d) - shift - mean) * rstd;
  //!if gamma
  v *= gamma_load4(d);
  //!end
  //!if beta
  v += beta_load4(d);
  //!end
  return v;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg) * WG + lane;
  if (m >= p.M) { return; }
  let row = m * p.D;
  // The row is read once for both moments: those of blocks of sixteen are merged (Chan et al.), relative to the first
  // element, so that a large mean cancels nothing.
  let shift = x_load(row);
  var mean: f32 = 0.0;
  var m2: f32 = 0.0;
  var d: u32 = 0u;
  for (; d + 15u < p.D; d += 16u) {
    //!for q in 0..4
    let x$q = x_load4(row + d + 4u * $q) - shift;
    //!end
    let centre = sum4((x0 + x1) + (x2 + x3)) / 16.0;
    //!for q in 0..4
    let c$q = x$q - centre;
    //!end
    let delta = centre - mean;
    let share = 16.0 / f32(d + 16u);
    mean += delta * share;
    m2 += sum4((c0 * c0 + c1 * c1) + (c2 * c2 + c3 * c3)) + delta * delta * f32(d) * share;
  }
  for (; d < p.D; d++) {
    let v = x_load(row + d) - shift;
    let delta = v - mean;
    mean += delta / f32(d + 1u);
    m2 += delta * (v - mean);
  }
  let rstd = inverseRoot(m2 / f32(p.D) + p.eps);
  for (d = 0u; d + 3u < p.D; d += 4u) { y_store4(row + d, result(row, d, shift, mean, rstd)); }
  if (d < p.D) { putY(row, d, result(row, d, shift, mean, rstd)); }
  //!if stats
  stats[m * 2u] = shift + mean;
  stats[m * 2u + 1u] = rstd;
  //!end
}
