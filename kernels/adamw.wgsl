//! adamw: one AdamW step over all parameters of a buffer, in place; gradients are cleared for the next step
//! w = w (1 - lr wd) - lr (m / corr1) / (sqrt(v / corr2) + eps), m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2
//!
//! inout  w       [n]      f32
//! inout  m       [n]      f32
//! inout  v       [n]      f32
//! inout  grad    [n]      f32
//! in     group   [G]      u32   hyper-parameter row of each 64 elements
//! in     hyper   [H, 2]   f32   learning-rate scale, weight decay
//! in     state   [8]      f32   norm, factor, ok, t, skipped, corr1, corr2
//! in     rate    [H]      f32   learning rate of this step for each row
//! param  beta1   f32
//! param  beta2   f32
//! param  rest1   f32         1 - beta1, rounded once
//! param  rest2   f32         1 - beta2
//! param  eps     f32
//! tune   WG = 64          64 | 256
//! lib    root
//! grid   fold ceil(n/WG)
//! flops  14*n
//! ref    tests/ref/adamw.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.n) { return; }
  let raw = grad[i];
  grad[i] = 0.0;
  if (state[2] == 0.0) { return; }
  let row = group[i >> 6u];
  let lr = rate[row] * hyper[row * 2u];
  let g = raw * state[1];
  let m1 = p.beta1 * m[i] + p.rest1 * g;
  let v1 = p.beta2 * v[i] + p.rest2 * g * g;
  m[i] = m1;
  v[i] = v1;
  w[i] = w[i] * (1.0 - lr * hyper[row * 2u + 1u]) - lr * (m1 / state[5]) / (root(v1 / state[6]) + p.eps);
}
