//! batchnorm_train: normalise each column by its own mean and biased variance, RL invocations a column
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
//! tune    WG = 64                      8 | 64
//! tune    RL = 8                       1 | 8   invocations that share the rows of a column; 1 without barriers
//! lib     root column_sums
//! grid    ceil(D*RL/WG)
//! flops   7*M*D
//! limit   M >= 2
//! ref     tests/ref/batchnorm.ts

fn fourRows(i: u32) -> vec4f {
  let next = RL * p.D;
  return vec4f(f32(x[i]), f32(x[i + next]), f32(x[i + 2u * next]), f32(x[i + 3u * next]));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = wg.x * (WG / RL) + lane % (WG / RL);
  // Past the last column the last one again: all invocations of a workgroup meet at its barriers.
  let d = min(column, p.D - 1u);
  let first = d + lane / (WG / RL) * p.D;
  let next = RL * p.D;
  let end = p.M * p.D;
  // Relative to the first row, so that a large mean cancels nothing. Four chains hide the latency of the loads.
  let shift = f32(x[d]);
  var s = vec4f();
  var i = first;
  for (; i + 3u * next < end; i += 4u * next) { s += fourRows(i) - shift; }
  for (; i < end; i += next) { s.x += f32(x[i]) - shift; }
  let mean = columnSum((s.x + s.y) + (s.z + s.w), lane) / f32(p.M);
  var v = vec4f();
  for (i = first; i + 3u * next < end; i += 4u * next) {
    let c = fourRows(i) - shift - mean;
    v += c * c;
  }
  for (; i < end; i += next) {
    let c = f32(x[i]) - shift - mean;
    v.x += c * c;
  }
  let squares = columnSum((v.x + v.y) + (v.z + v.w), lane);
  if (column >= p.D) { return; }
  let rstd = inverseRoot(squares / f32(p.M) + p.eps);
  var scale = rstd;
  //!if gamma
  scale *= gamma[d];
  //!end
  var offset: f32 = 0.0;
  //!if beta
  offset = beta[d];
  //!end
  for (i = first; i < end; i += next) { y[i] = narrow((f32(x[i]) - shift - mean) * scale + offset); }
  if (first != d) { return; }
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
