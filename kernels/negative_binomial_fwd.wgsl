//! negative_binomial_fwd: sums of the negative log-likelihood over blocks of 4096 elements, without ln Gamma(alpha)
//! part[s] = -sum_i [ln Gamma(t + alpha) - ln Gamma(t + 1) + alpha log(1 - q + 1e-8) + t log(q + 1e-8)], q = mu / (mu + alpha)
//! mu = max(y, 1e-8), t = max(x, 0); in the space log1p of exp(y) - 1 and exp(x) - 1
//!
//! in     y      [n]   T     predicted mean, or its log1p
//! in     x      [n]   T     target, or its log1p
//! out    part   [S]   f32
//! param  alpha  f32         inverse dispersion
//! option space  log1p | counts
//! tune   WG = 64      64 | 256
//! limit  S == ceil(n / 4096)
//! grid   fold S
//! flops  90*n
//! lib    reduce logarithm marks negative_binomial
//! ref    tests/ref/negative_binomial.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = folded(wg, nwg);
  if (s >= p.S) { return; }
  var total: f32 = 0.0;
  for (var i = s * 4096u + lane; i < min((s + 1u) * 4096u, p.n); i += WG) {
    let v = logLikelihood(max(countOf(f32(y[i])), 1e-8), max(countOf(f32(x[i])), 0.0), p.alpha);
    total -= keepNaN(keepNaN(v, f32(y[i])), f32(x[i]));
  }
  let sum = reduceSum(total, lane);
  if (lane == 0u) { part[s] = sum; }
}
