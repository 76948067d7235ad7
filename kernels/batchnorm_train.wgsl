//! batchnorm_train: normalise each column by its own mean and biased variance, one invocation a column
//! y[m,d] = (x[m,d] - mean[d]) * rstd[d] * gamma[d] + beta[d]; running = (1 - momentum) * running + momentum * statistic
//!
//! in      x             [M, D]   T
//! in?     gamma         [D]      f32
//! in?     beta          [D]      f32
//! out     y             [M, D]   T
//! out?    stats         [2, D]   f32   mean, rstd; kept for batchnorm_bwd
//! inout?  running_mean  [D]      f32
//! inout?  running_var   [D]      f32   of the unbiased variance
//! inout?  tracked       [1]      u32   batches seen
//! param   eps           f32            added to the variance
//! param   momentum      f32
//! tune    WG = 64                      8 | 32 | 64
//! lib     root
//! grid    ceil(D/WG)
//! flops   7*M*D
//! limit   M >= 2
//! ref     tests/ref/batchnorm.ts

fn fourRows(i: u32) -> vec4f {
  return vec4f(f32(x[i]), f32(x[i + p.D]), f32(x[i + 2u * p.D]), f32(x[i + 3u * p.D]));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let d = wg.x * WG + lane;
  if (d >= p.D) { return; }
  let end = p.M * p.D;
  // Relative to the first row, so that a large mean cancels nothing. Four chains hide the latency of the loads.
  let shift = f32(x[d]);
  var s = vec4f();
  var i = d;
  for (; i + 3u * p.D < end; i += 4u * p.D) { s += fourRows(i) - shift; }
  for (; i < end; i += p.D) { s.x += f32(x[i]) - shift; }
  let mean = ((s.x + s.y) + (s.z + s.w)) / f32(p.M);
  var v = vec4f();
  for (i = d; i + 3u * p.D < end; i += 4u * p.D) {
    let c = fourRows(i) - shift - mean;
    v += c * c;
  }
  for (; i < end; i += p.D) {
    let c = f32(x[i]) - shift - mean;
    v.x += c * c;
  }
  let squares = (v.x + v.y) + (v.z + v.w);
  let rstd = inverseRoot(squares / f32(p.M) + p.eps);
  var scale = rstd;
  //!if gamma
  scale *= gamma[d];
  //!end
  var offset: f32 = 0.0;
  //!if beta
  offset = beta[d];
  //!end
  for (i = d; i < end; i += p.D) { y[i] = narrow((f32(x[i]) - shift - mean) * scale + offset); }
  //!if stats
  stats[d] = shift + mean;
  stats[p.D + d] = rstd;
  //!end
  //!if running_mean
  running_mean[d] = (1.0 - p.momentum) * running_mean[d] + p.momentum * (shift + mean);
  //!end
  //!if running_var
  running_var[d] = (1.0 - p.momentum) * running_var[d] + p.momentum * (squares / f32(p.M - 1u));
  //!end
  //!if tracked
  if (d == 0u) { tracked[0] += 1u; }
  //!end
}
