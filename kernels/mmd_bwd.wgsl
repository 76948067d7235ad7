//! mmd_bwd: gradient of the discrepancy with respect to a block of points
//! dy[at+r,e] = factor * dloss * ((ru[r] - rv[r]) * y[at+r,e] - uy[r,e] + vx[r,e])
//!
//! in     y      [N, E]   f32
//! in     ru     [R]      f32   sums of slopes with points of y
//! in     rv     [R]      f32   with points of x
//! in     uy     [R, E]   f32   slopes times points of y
//! in     vx     [R, E]   f32
//! in     dloss  [1]      f32
//! out    dy     [N, E]   f32   rows at .. at + R are written
//! param  at     u32
//! param  factor f32
//! tune   WG = 64         8 | 64
//! grid   fold ceil(R*E/WG)
//! flops  4*R*E
//! touch  y R*E
//! touch  dy R*E
//! ref    tests/ref/mmd.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = folded(wg, nwg) * WG + lane;
  if (id >= p.R * p.E) { return; }
  let r = id / p.E;
  let o = id + p.at * p.E;
  dy[o] = p.factor * dloss[0] * (((ru[r] - rv[r]) * y[o] - uy[id]) + vx[id]);
}
