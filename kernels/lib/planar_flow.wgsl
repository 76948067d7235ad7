// Logarithm of |1 + x| + eps; needs logarithm.wgsl. Flows start near the identity: small x keeps its relative accuracy.

fn logDeterminant(x: f32, eps: f32) -> f32 {
  let near = x + eps;
  if (near > -0.5 && near < 1.0) { return logRatio4(vec4f(near / (2.0 + near))).x; }
  return log(abs(1.0 + x) + eps);
}
