//! negative_binomial_bwd: gradient of the mean negative log-likelihood with respect to y
//! dy[i] = -dloss / n * d/dmu log-likelihood * [y[i] >= 1e-8]; in the space log1p * exp(y[i]) * [exp(y[i]) - 1 >= 1e-8]
//!
//! in     y      [n]   T     predicted mean, or its log1p
//! in     x      [n]   T     target, or its log1p
//! in     dloss  [1]   f32
//! out    dy     [n]   T
//! param  alpha  f32         inverse dispersion
//! option space  log1p | counts
//! tune   WG = 256     64 | 256
//! grid   fold ceil(n/WG)
//! flops  60*n
//! lib    logarithm marks negative_binomial
//! ref    tests/ref/negative_binomial.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.n) { return; }
  let mu = countOf(f32(y[i]));
  let slope = logLikelihoodSlope(max(mu, 1e-8), max(countOf(f32(x[i])), 0.0), p.alpha);
  //!if space=counts
  let inner = 1.0;
  //!else
  let inner = mu + 1.0;
  //!end
  let v = select(0.0, -dloss[0] / f32(p.n) * slope * inner, mu >= 1e-8);
  dy[i] = narrow(keepNaN(keepNaN(v, f32(y[i])), f32(x[i])));
}
