//! attention_repitch: packed heads of width a as heads of width b, zero-filled or cut
//! y[m,g*b+c] = x[m,g*a+c] where c < a, else 0
//!
//! in     x  [M, P]  T
//! out    y  [M, Q]  T
//! param  a  u32
//! param  b  u32
//! limit  P/a == Q/b
//! tune   WG = 64           8 | 64
//! grid   fold ceil(M*Q/WG)
//! flops  0
//! ref    tests/ref/attention.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let n = folded(wg, nwg) * WG + lane;
  if (n >= p.M * p.Q) { return; }
  let m = n / p.Q;
  let g = (n - m * p.Q) / p.b;
  let c = n - m * p.Q - g * p.b;
  var value: f32 = 0.0;
  if (c < p.a) { value = f32(x[m * p.P + g * p.a + c]); }
  y[n] = narrow(value);
}
