//! mmd_kernel: Gaussian kernels of a block of points, in place of their dot products
//! d = max(na[i] + nb[j] - 2 s[i,j], 0); value: s[i,j] = sum_a (exp(-d / 2a) - 1); slope: sum_a exp(-d / 2a) / 2a; a in 10, 15, 20, 50
//!
//! inout  s   [R, N]   f32   dot products
//! in     na  [R]      f32   squared lengths
//! in     nb  [N]      f32
//! option f            value | slope
//! tune   WG = 64      8 | 64
//! grid   fold ceil(R*N/WG)
//! flops  20*R*N
//! lib    marks
//! ref    tests/ref/mmd.ts

//!if f=value
// exp(t) - 1; the difference of exponentials would lose the digits that the loss is made of.
fn term(t: f32) -> f32 {
  let series = t * (1.0 + t * (0.5 + t * (0.16666667 + t * (0.041666668 + t * (0.0083333338 + t * 0.0013888889)))));
  return select(exp(t) - 1.0, series, t > -0.25);
}
//!end

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = folded(wg, nwg) * WG + lane;
  if (id >= p.R * p.N) { return; }
  let i = id / p.N;
  let j = id - i * p.N;
  let d = max(na[i] + nb[j] - 2.0 * s[id], 0.0);
  //!if f=value
  let sum = (term(d * -0.05) + term(d * -0.033333335)) + (term(d * -0.025) + term(d * -0.01));
  //!else
  let sum = (exp(d * -0.05) * 0.05 + exp(d * -0.033333335) * 0.033333335) + (exp(d * -0.025) * 0.025 + exp(d * -0.01) * 0.01);
  //!end
  s[id] = marked(sum, markOf(na[i]) | markOf(nb[j]));
}
