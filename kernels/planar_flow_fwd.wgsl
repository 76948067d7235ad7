//! planar_flow_fwd: one planar flow on each row
//! a = tanh(z . w + b), y = z + u a, logdet = ln(|1 + (1 - a^2) u . w| + eps)
//!
//! in     z       [M, D]   T/4
//! in     u       [D]      f32/4
//! in     w       [D]      f32/4
//! in     b       [1]      f32
//! out    y       [M, D]   T/4
//! out    logdet  [M]      f32
//! out?   act     [M]      f32     a, kept for planar_flow_bwd
//! param  eps     f32
//! tune   WG = 64                  32 | 64 | 128 | 256
//! grid   fold M                   one workgroup a row
//! flops  6*M*D
//! lib    reduce_pair rows activation logarithm planar_flow
//! ref    tests/ref/planar_flow.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg);
  if (m >= p.M) { return; }
  let row = m * p.D;
  var l = vec4f();
  var s = vec4f();
  for (var d = lane * 4u; d < p.D; d += WG * 4u) {
    let wv = within(w_load4(d), d, 0.0);
    l += within(z_load4(row + d), d, 0.0) * wv;
    s += within(u_load4(d), d, 0.0) * wv;
  }
  let dots = reducePair(vec2f(sum4(l), sum4(s)), lane);
  let a = tanh4(vec4f(dots.x + b[0])).x;
  for (var d = lane * 4u; d < p.D; d += WG * 4u) { putY(row, d, z_load4(row + d) + u_load4(d) * a); }
  if (lane == 0u) {
    logdet[m] = logDeterminant(fma(-a, a, 1.0) * dots.y, p.eps);
    //!if act
    act[m] = a;
    //!end
  }
}
