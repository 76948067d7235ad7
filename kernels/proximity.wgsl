//! proximity: weights that fall with the distance of points on the unit sphere
//! w[i,j] = 1 - (4 / pi) atan(d / c), 0 where that is below least, 1 where i = j; d = 2 - 2 s[i,j], or its root
//!
//! in     s      [B, B]   f32   dot products of rows of length one
//! out    w      [B, B]   f32
//! param  c      f32
//! param  least  f32
//! option d               squared | plain
//! tune   WG = 64         8 | 64
//! grid   fold ceil(B*B/WG)
//! ref    tests/ref/proximity.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = folded(wg, nwg) * WG + lane;
  if (id >= p.B * p.B) { return; }
  let i = id / p.B;
  //!if d=squared
  let d = max(2.0 - 2.0 * s[id], 0.0);
  //!else
  let d = sqrt(max(2.0 - 2.0 * s[id], 0.0));
  //!end
  let v = 1.0 - 1.2732395 * atan(d / p.c);
  let near = select(v, 0.0, v < p.least);
  w[id] = select(near, 1.0, id == i * p.B + i);
}
