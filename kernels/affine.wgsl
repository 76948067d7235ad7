//! affine: scale by a number and by a device scalar, then shift; four elements an invocation
//! y[i] = a * s[0] * x[i] + b, s = 1 when left out
//!
//! in     x  [n]    T/4
//! in?    s  [1]    f32
//! out    y  [n]    T/4
//! param  a  f32
//! param  b  f32
//! tune   WG = 64   8 | 64 | 256
//! grid   fold ceil(n/(WG*4))
//! flops  2*n
//! ref    tests/ref/elementwise.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (folded(wg, nwg) * WG + lane) * 4u;
  if (i >= p.n) { return; }
  //!if s
  let a = p.a * s[0];
  //!else
  let a = p.a;
  //!end
  let v = fma(vec4f(a), x_load4(i), vec4f(p.b));
  //!if vec=4
  y_store4(i, v);
  //!else
  //!for q in 0..4
  if (i + $q < p.n) { y[i + $q] = narrow(v[$q]); }
  //!end
  //!end
}
