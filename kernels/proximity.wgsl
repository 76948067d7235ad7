//! proximity: weights that fall with the distance of points on the unit sphere
//! w[i,j] = 1 - (4 / pi) atan(d / c), 0 where that is below least, 1 where i = j; d = 2 - 2 s[i,j], or its root
//!
//! in     s      [B, B]   f32   dot products of rows of length one
//! out    w      [B, B]   f32
//! param  c      f32
//! param  least  f32
//! option d               squared | plain
//! tune   WG = 64         8 | 64
//! lib    root marks
//! grid   fold ceil(B*B/WG)
//! flops  20*B*B
//! ref    tests/ref/proximity.ts

// Of a positive number, within 2e-7 of itself; the built-in may be 4096 units off. Source: Cephes (`atanf.c`).
fn arctangent(t: f32) -> f32 {
  let far = t > 2.414213562;
  let middle = t > 0.4142135624;
  let x = select(select(t, (t - 1.0) / (t + 1.0), middle), -1.0 / max(t, 1.0), far);
  let z = x * x;
  let r = fma(fma(fma(8.05374449538e-2, z, -1.38776856032e-1), z, 1.99777106478e-1), z, -3.33329491539e-1);
  return select(select(0.0, 0.7853981634, middle), 1.5707963268, far) + fma(r * z, x, x);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = folded(wg, nwg) * WG + lane;
  if (id >= p.B * p.B) { return; }
  let i = id / p.B;
  //!if d=squared
  let d = max(2.0 - 2.0 * s[id], 0.0);
  //!else
  let d = root(2.0 - 2.0 * s[id]);
  //!end
  let v = 1.0 - 1.2732395 * arctangent(d / p.c);
  let near = select(v, 0.0, v < p.least);
  w[id] = select(keepNaN(near, s[id]), 1.0, id == i * p.B + i);
}
