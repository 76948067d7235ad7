// Logarithms of four positive values.

// log((1 + s) / (1 - s)), |s| <= 1/3.
fn logRatio4(s: vec4f) -> vec4f {
  let z = s * s;
  let r = fma(fma(fma(vec4f(0.232335612), z, vec4f(0.217045322)), z, vec4f(0.285925001)), z, vec4f(0.399997026));
  return fma(fma(r, z, vec4f(0.666666687)) * z, s, 2.0 * s);
}

// The built-in is only absolutely accurate near 1.
fn log4(x: vec4f) -> vec4f {
  return select(log(x), logRatio4((x - 1.0) / (x + 1.0)), (x > vec4f(0.5)) & (x < vec4f(2.0)));
}
