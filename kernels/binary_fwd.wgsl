//! binary_fwd: operation on two tensors of the same shape, four elements an invocation
//! y[i] = f(a[i], b[i])
//!
//! in     a  [n]    T/4
//! in     b  [n]    T/4
//! out    y  [n]    T/4
//! option f         add | sub | mul | div | min | max
//! tune   WG = 64   8 | 64 | 256
//! lib    quotient binary
//! grid   fold ceil(n/(WG*4))
//! flops  n
//! ref    tests/ref/binary.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (folded(wg, nwg) * WG + lane) * 4u;
  if (i >= p.n) { return; }
  let v = binary4(a_load4(i), b_load4(i));
  //!if vec=4
  y_store4(i, v);
  //!else
  //!for q in 0..4
  if (i + $q < p.n) { y[i + $q] = narrow(v[$q]); }
  //!end
  //!end
}
