//! negative_binomial_bwd: gradient of the mean negative log-likelihood with respect to y
//! dy[i] = -dloss / n * d/dmu log-likelihood * exp(y[i]) * [exp(y[i]) - 1 >= 1e-8]
//!
//! in     y      [n]   T     log1p of the predicted mean
//! in     x      [n]   T     log1p of the target
//! in     dloss  [1]   f32
//! out    dy     [n]   T
//! param  alpha  f32         inverse dispersion
//! tune   WG = 256     64 | 256
//! grid   fold ceil(n/WG)
//! lib    negative_binomial
//! ref    tests/ref/negative_binomial.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.n) { return; }
  let mu = expMinusOne(f32(y[i]));
  let slope = logLikelihoodSlope(max(mu, 1e-8), max(expMinusOne(f32(x[i])), 0.0), p.alpha);
  dy[i] = T(select(0.0, -dloss[0] / f32(p.n) * slope * (mu + 1.0), mu >= 1e-8));
}
