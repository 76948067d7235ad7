// exp(x) - 1 without cancellation near zero.
fn expMinusOne(x: f32) -> f32 {
  if (abs(x) > 0.5) { return exp(x) - 1.0; }
  return x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0 * (1.0 + x / 7.0 * (1.0 + x / 8.0)))))));
}

// Log-likelihood of target t at mean mu, without its log-gamma terms, which do not depend on mu.
fn logLikelihood(mu: f32, t: f32, alpha: f32) -> f32 {
  return alpha * log(alpha / (mu + alpha) + 1e-8) + t * log(mu / (mu + alpha) + 1e-8);
}

// Its derivative with respect to mu.
fn logLikelihoodSlope(mu: f32, t: f32, alpha: f32) -> f32 {
  let q = alpha / (mu + alpha);
  return (t / (mu / (mu + alpha) + 1e-8) - alpha / (q + 1e-8)) * q / (mu + alpha);
}
