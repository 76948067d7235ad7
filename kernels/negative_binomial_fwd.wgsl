//! negative_binomial_fwd: sums of the negative log-likelihood over blocks of 4096 elements, without log-gamma terms
//! part[s] = -sum_i [alpha log(1 - q + 1e-8) + t log(q + 1e-8)], mu = max(exp(y) - 1, 1e-8), t = max(exp(x) - 1, 0), q = mu / (mu + alpha)
//!
//! in     y      [n]   T     log1p of the predicted mean
//! in     x      [n]   T     log1p of the target
//! out    part   [S]   f32
//! param  alpha  f32         inverse dispersion
//! tune   WG = 64      64 | 256
//! limit  S == ceil(n / 4096)
//! grid   fold S
//! lib    reduce negative_binomial
//! ref    tests/ref/negative_binomial.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = folded(wg, nwg);
  if (s >= p.S) { return; }
  var total: f32 = 0.0;
  for (var i = s * 4096u + lane; i < min((s + 1u) * 4096u, p.n); i += WG) {
    total -= logLikelihood(max(expMinusOne(f32(y[i])), 1e-8), max(expMinusOne(f32(x[i])), 0.0), p.alpha);
  }
  let sum = reduceSum(total, lane);
  if (lane == 0u) { part[s] = sum; }
}
