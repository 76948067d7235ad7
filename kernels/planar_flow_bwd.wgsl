//! planar_flow_bwd: gradient of a planar flow in its input, and what planar_flow_columns needs of each row
//! dl = (dy . u) t - 2 c s a, c = dlogdet t sign(q) / (|q| + eps), t = 1 - a^2, s = u . w, q = 1 + t s; dz = dy + dl w
//!
//! in     dy       [M, D]   T/4
//! in?    dlogdet  [M]      f32
//! in     u        [D]      f32/4
//! in     w        [D]      f32/4
//! in     act      [M]      f32     a
//! out?   dz       [M, D]   T/4
//! out?   sums     [M, 3]   f32     a, dl, c
//! param  eps      f32
//! tune   WG = 64                   32 | 64 | 128 | 256
//! grid   fold M                    one workgroup a row
//! flops  8*M*D
//! lib    reduce_pair rows
//! ref    tests/ref/planar_flow.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg);
  if (m >= p.M) { return; }
  let row = m * p.D;
  var gu = vec4f();
  var uw = vec4f();
  for (var d = lane * 4u; d < p.D; d += WG * 4u) {
    let uv = within(u_load4(d), d, 0.0);
    gu += within(dy_load4(row + d), d, 0.0) * uv;
    uw += within(w_load4(d), d, 0.0) * uv;
  }
  let dots = reducePair(vec2f(sum4(gu), sum4(uw)), lane);
  let a = act[m];
  let t = fma(-a, a, 1.0);
  var c: f32 = 0.0;
  //!if dlogdet
  let q = fma(t, dots.y, 1.0);
  c = dlogdet[m] * t * select(-1.0, 1.0, q >= 0.0) / (abs(q) + p.eps);
  //!end
  let dl = fma(dots.x, t, -2.0 * c * dots.y * a);
  //!if dz
  for (var d = lane * 4u; d < p.D; d += WG * 4u) {
    let v = dy_load4(row + d) + w_load4(d) * dl;
    //!if vec=4
    dz_store4(row + d, v);
    //!else
    //!for q in 0..4
    if (d + $q < p.D) { dz[row + d + $q] = narrow(v[$q]); }
    //!end
    //!end
  }
  //!end
  //!if sums
  if (lane == 0u) {
    sums[m * 3u] = a;
    sums[m * 3u + 1u] = dl;
    sums[m * 3u + 2u] = c;
  }
  //!end
}
