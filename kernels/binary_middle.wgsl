//! binary_middle: operation on a tensor [A, R, C] and one that lacks the middle dimension, four elements an invocation
//! y[a,r,c] = f(x[a,r,c], v[a,c]), or f(v[a,c], x[a,r,c]) with v on the left
//!
//! in     x     [n]   T/4
//! in?    v     [m]   W
//! in?    v4    [m]   W/4         the same as v, for quad = next
//! out    y     [n]   T/4
//! param  R     u32
//! param  C     u32
//! option f           add | sub | mul | div | min | max
//! option left        x | v
//! option over        first | last | middle    first: A = 1, last: C = 1
//! option quad        same | next | any        the four elements share one v, take four in turn, or neither
//! tune   WG = 64     8 | 64 | 256
//! lib    quotient binary middle
//! grid   fold ceil(n/(WG*4))
//! flops  n
//! ref    tests/ref/binary.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (folded(wg, nwg) * WG + lane) * 4u;
  if (i >= p.n) { return; }
  //!if v4
  let w = v4_load4(placeOf(i));
  //!else
  let k = placesOf4(i);
  let w = vec4f(v_load(k.x), v_load(k.y), v_load(k.z), v_load(k.w));
  //!end
  //!if left=x
  let r = binary4(x_load4(i), w);
  //!else
  let r = binary4(w, x_load4(i));
  //!end
  //!if vec=4
  y_store4(i, r);
  //!else
  //!for q in 0..4
  if (i + $q < p.n) { y[i + $q] = narrow(r[$q]); }
  //!end
  //!end
}
