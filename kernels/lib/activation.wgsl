// Activations and their slopes on four values. Small results keep their relative accuracy. NaN stays NaN
// but in sigmoid4 and tanh4, where exponentials alone make the result.

// exp of numbers that are not positive; some drivers stop at the smallest normal number instead of reaching 0.
fn decay4(x: vec4f) -> vec4f { return select(exp(x), vec4f(0.0), x < vec4f(-87.0)); }

// exp(t*t/2) * (1 - normal distribution at t), 0 <= t <= 14, within 4e-7 of itself.
fn tail4(t: vec4f) -> vec4f {
  let u = 1.0 / fma(t, vec4f(0.3), vec4f(1.0));
  var r = fma(vec4f(0.0383783057), u, vec4f(-0.169166192));
  r = fma(r, u, vec4f(0.228660226));
  r = fma(r, u, vec4f(-0.0765066370));
  r = fma(r, u, vec4f(0.142535627));
  r = fma(r, u, vec4f(0.0946834832));
  r = fma(r, u, vec4f(0.121920355));
  r = fma(r, u, vec4f(0.119487688));
  return fma(r, u, vec4f(7.16893237e-6));
}

// x times the normal distribution at x: the exact form, with erf.
fn gelu4(x: vec4f) -> vec4f {
  let t = abs(x);
  let c = min(t, vec4f(14.0));
  return fma(-c, decay4(-0.5 * c * c) * tail4(c), 0.5 * (x + t));
}

fn geluSlope4(x: vec4f) -> vec4f {
  let t = abs(x);
  let below = decay4(-0.5 * t * t) * fma(t, vec4f(-0.3989422804), tail4(t));
  return select(1.0 - below, below, x < vec4f(0.0));
}

fn sigmoid4(x: vec4f) -> vec4f {
  let e = decay4(-abs(x));
  return select(vec4f(1.0), e, x < vec4f(0.0)) / (1.0 + e);
}

fn silu4(x: vec4f) -> vec4f { return x * sigmoid4(x); }

fn siluSlope4(x: vec4f) -> vec4f { return sigmoid4(x) * fma(x, sigmoid4(-x), vec4f(1.0)); }

fn tanh4(x: vec4f) -> vec4f {
  let z = x * x;
  let r = fma(fma(fma(vec4f(-5.92398085e-3), z, vec4f(0.0208736770)), z, vec4f(-0.0538238175)), z, vec4f(0.133325845));
  let e = decay4(-2.0 * abs(x));
  return select(sign(x) * (1.0 - e) / (1.0 + e), fma(fma(r, z, vec4f(-0.333333283)) * z, x, x), abs(x) < vec4f(0.65));
}
