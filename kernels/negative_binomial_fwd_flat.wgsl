//! negative_binomial_fwd_flat: negative_binomial_fwd without barriers, one invocation a block of 512
//! part[s] = -sum_i [alpha log(1 - q + 1e-8) + t log(q + 1e-8)], mu = max(exp(y) - 1, 1e-8), t = max(exp(x) - 1, 0), q = mu / (mu + alpha)
//!
//! in     y      [n]   T     log1p of the predicted mean
//! in     x      [n]   T     log1p of the target
//! out    part   [S]   f32
//! param  alpha  f32         inverse dispersion
//! tune   WG = 8       8 | 32
//! limit  S == ceil(n / 512)
//! grid   fold ceil(S/WG)
//! lib    negative_binomial
//! ref    tests/ref/negative_binomial.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = folded(wg, nwg) * WG + lane;
  if (s >= p.S) { return; }
  var total: f32 = 0.0;
  for (var i = s * 512u; i < min((s + 1u) * 512u, p.n); i++) {
    total -= logLikelihood(max(expMinusOne(f32(y[i])), 1e-8), max(expMinusOne(f32(x[i])), 0.0), p.alpha);
  }
  part[s] = total;
}
