//! layernorm_bwd_input_flat: layernorm_bwd_input without barriers, one invocation a row
//! dx[m,d] = rstd[m] * (h - mean_d(h) - xh * mean_d(h * xh)), h = dy * gamma, xh = (x - mean) * rstd
//!
//! in     x       [M, D]   T/4
//! in?    gamma   [D]      f32/4
//! in     stats   [M, 2]   f32   mean, rstd
//! in     dy      [M, D]   T/4
//! out    dx      [M, D]   T/4
//! tune   WG = 8                 8 | 32
//! grid   fold ceil(M/WG)
//! flops  10*M*D
//! lib    rows
//! ref    tests/ref/layernorm.ts

fn scaled(row: u32, d: u32) -> vec4f {
  //!if gamma
  return within(dy_load4(row + d) * gamma_load4(d), d, 0.0);
  //!else
  return within(dy_load4(row + d), d, 0.0);
  //!end
}

// Terms of the two sums.
fn terms(row: u32, d: u32, mean: f32) -> mat2x4f {
  let h = scaled(row, d);
  return mat2x4f(h, h * within(x_load4(row + d) - mean, d, 0.0));
}

fn result(row: u32, d: u32, mean: f32, rstd: f32, meanH: f32, slope: f32) -> vec4f {
  return rstd * (scaled(row, d) - meanH - (x_load4(row + d) - mean) * slope);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg) * WG + lane;
  if (m >= p.M) { return; }
  let row = m * p.D;
  let mean = stats[m * 2u];
  let rstd = stats[m * 2u + 1u];
  // Sixteen elements, a cache line, at a time: an invocation's lines are evicted by its neighbours' otherwise.
  var s = mat2x4f();
  var d: u32 = 0u;
  for (; d + 15u < p.D; d += 16u) {
    //!for q in 0..4
    s += terms(row, d + 4u * $q, mean);
    //!end
  }
  for (; d < p.D; d += 4u) { s += terms(row, d, mean); }
  let meanH = sum4(s[0]) / f32(p.D);
  let slope = sum4(s[1]) / f32(p.D) * rstd * rstd;
  for (d = 0u; d + 15u < p.D; d += 16u) {
    //!for q in 0..4
    dx_store4(row + d + 4u * $q, result(row, d + 4u * $q, mean, rstd, meanH, slope));
    //!end
  }
  for (; d < p.D; d += 4u) { putDx(row, d, result(row, d, mean, rstd, meanH, slope)); }
}
