//! binary_broadcast: operation on two tensors by NumPy's broadcasting rule, any pattern
//! y[i] = f(a[place of i], b[place of i])
//!
//! in     a   [ka]  W
//! in     b   [kb]  W
//! out    y   [n]   T
//! param  e1  u32              extents, innermost first
//! param  e2  u32
//! param  e3  u32
//! param  e4  u32
//! param  e5  u32
//! param  a0  u32              strides of a, outermost, then innermost first; 0 where it is broadcast
//! param  a1  u32
//! param  a2  u32
//! param  a3  u32
//! param  a4  u32
//! param  a5  u32
//! param  b0  u32              strides of b
//! param  b1  u32
//! param  b2  u32
//! param  b3  u32
//! param  b4  u32
//! param  b5  u32
//! option f     add | sub | mul | div | min | max
//! option rank  2 | 1 | 3 | 4 | 5 | 6
//! tune   WG = 64              8 | 64 | 256
//! lib    quotient binary strides
//! grid   fold ceil(n/WG)
//! flops  n
//! ref    tests/ref/binary.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.n) { return; }
  let at = placesOf(i);
  y[i] = narrow(binary4(vec4f(a_load(at.x)), vec4f(b_load(at.y))).x);
}
