// Negative binomial with inverse dispersion alpha; needs logarithm.wgsl. Values are counts, or log1p of them.

// exp(x) - 1 without cancellation near zero. Numbers above 80, told by bits so that NaN stays, count as 80: counts beyond
// 5e34 would overflow.
fn expMinusOne(value: f32) -> f32 {
  let x = select(value, 80.0, bitcast<u32>(value) - 0x42a00000u <= 0x3ce00000u);
  if (abs(x) > 0.5) { return exp(x) - 1.0; }
  return x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0 * (1.0 + x / 7.0 * (1.0 + x / 8.0)))))));
}

fn countOf(value: f32) -> f32 {
  //!if space=counts
  return value;
  //!else
  return expMinusOne(value);
  //!end
}

// log(1 + x), x > -1; small x keeps its relative accuracy.
fn logOnePlus(x: f32) -> f32 {
  let near = x > -0.5 && x < 1.0;
  return select(log(1.0 + x), logRatio4(vec4f(x / (2.0 + x))).x, near);
}

// ln Gamma(t + alpha) - ln Gamma(t + 1), t >= 0: Stirling's series of the difference, from 8 on, so that large counts cancel
// before they are rounded.
fn logGammaRatio(t: f32, alpha: f32) -> f32 {
  let small = t < 8.0;
  let shift = select(0.0, 8.0, small);
  let delta = alpha - 1.0;
  let a = t + alpha + shift;
  let b = t + 1.0 + shift;
  let u = (1.0 / a) / a;
  let v = (1.0 / b) / b;
  let series = fma(fma(u, 1.0 / 1260.0, -1.0 / 360.0), u, 1.0 / 12.0) / a - fma(fma(v, 1.0 / 1260.0, -1.0 / 360.0), v, 1.0 / 12.0) / b;
  let far = (a - 0.5) * logOnePlus(delta / b) + delta * (log(b) - 1.0) + series;
  var above = 1.0;
  var below = 1.0;
  for (var k = 0.0; k < 8.0; k += 1.0) {
    above *= min(t, 8.0) + 1.0 + k;
    below *= min(t, 8.0) + alpha + k;
  }
  return far + select(0.0, log(above / below), small);
}

// Log-likelihood of target t at mean mu without - ln Gamma(alpha), which depends on neither.
fn logLikelihood(mu: f32, t: f32, alpha: f32) -> f32 {
  let q = mu / (mu + alpha);
  let r = alpha / (mu + alpha);
  // Near one the logarithm comes from what is missing: a large count multiplies it.
  let hit = select(log(q + 1e-8), logOnePlus(1e-8 - r), q > 0.5);
  return logGammaRatio(t, alpha) + alpha * log4(vec4f(r + 1e-8)).x + t * hit;
}

// Its derivative with respect to mu.
fn logLikelihoodSlope(mu: f32, t: f32, alpha: f32) -> f32 {
  let q = alpha / (mu + alpha);
  return (t / (mu / (mu + alpha) + 1e-8) - alpha / (q + 1e-8)) * q / (mu + alpha);
}
