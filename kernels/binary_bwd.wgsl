//! binary_bwd: gradients of an operation on two tensors of the same shape, four elements an invocation
//! da[i] = dy[i] * df/da, db[i] = dy[i] * df/db at a[i], b[i]
//!
//! in     a   [n]   T/4
//! in     b   [n]   T/4
//! in     dy  [n]   T/4
//! out?   da  [n]   T/4
//! out?   db  [n]   T/4
//! option f         mul | div | min | max | add | sub
//! tune   WG = 64   8 | 64 | 256
//! lib    quotient binary
//! grid   fold ceil(n/(WG*4))
//! flops  2*n
//! ref    tests/ref/binary.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (folded(wg, nwg) * WG + lane) * 4u;
  if (i >= p.n) { return; }
  let d = dy_load4(i);
  let slope = binarySlope4(a_load4(i), b_load4(i));
  //!if da
  let va = d * slope[0];
  //!if vec=4
  da_store4(i, va);
  //!else
  //!for q in 0..4
  if (i + $q < p.n) { da[i + $q] = narrow(va[$q]); }
  //!end
  //!end
  //!end
  //!if db
  let vb = d * slope[1];
  //!if vec=4
  db_store4(i, vb);
  //!else
  //!for q in 0..4
  if (i + $q < p.n) { db[i + $q] = narrow(vb[$q]); }
  //!end
  //!end
  //!end
}
