//! planar_flow_columns: partial gradients of u, w and b over blocks of rows, one invocation a column
//! du[s,d] = sum_m a[m] dy[m,d] + c[m] w[d], dw[s,d] = sum_m dl[m] z[m,d] + c[m] u[d], db[s] = sum_m dl[m], m in block s of ceil(M/S) rows
//!
//! in     z     [M, D]   T
//! in     dy    [M, D]   T
//! in     sums  [M, 3]   f32   a, dl, c
//! in     u     [D]      f32
//! in     w     [D]      f32
//! out?   du    [S, D]   f32
//! out?   dw    [S, D]   f32
//! out?   db    [S, 1]   f32
//! tune   WG = 64        8 | 32 | 64
//! grid   ceil(D/WG), S
//! flops  8*M*D
//! ref    tests/ref/planar_flow.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let d = wg.x * WG + lane;
  if (d >= p.D) { return; }
  let rows = (p.M + p.S - 1u) / p.S;
  var gu: f32 = 0.0;
  var gw: f32 = 0.0;
  var gb: f32 = 0.0;
  var gs: f32 = 0.0;
  for (var m = wg.y * rows; m < min(p.M, (wg.y + 1u) * rows); m++) {
    let dl = sums[m * 3u + 1u];
    gu = fma(sums[m * 3u], f32(dy[m * p.D + d]), gu);
    gw = fma(dl, f32(z[m * p.D + d]), gw);
    gb += dl;
    gs += sums[m * 3u + 2u];
  }
  //!if du
  du[wg.y * p.D + d] = fma(gs, w[d], gu);
  //!end
  //!if dw
  dw[wg.y * p.D + d] = fma(gs, u[d], gw);
  //!end
  //!if db
  if (d == 0u) { db[wg.y] = gb; }
  //!end
}
