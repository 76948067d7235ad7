//! resample_positions: a position table interpolated on its grid, rows before the grid copied; four columns an invocation
//! y[q,d] = x[q,d] for q < prefix, else with v U + u = q - prefix
//! y[q,d] = sum_i sum_j wv[v,i] wu[u,j] x[prefix + (sv[v] + i) * across + su[u] + j, d]
//!
//! in     x       [R, D]   W/4
//! in     sv      [V]      u32
//! in     wv      [V, I]   f32
//! in     su      [U]      u32
//! in     wu      [U, J]   f32
//! out    y       [Q, D]   f32/4
//! param  prefix  u32
//! param  across  u32              columns of the grid in x
//! tune   WG = 64                  8 | 64
//! grid   ceil(D/(4*WG)), Q
//! flops  2*V*U*I*J*D
//! ref    tests/ref/resample_positions.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let d = (wg.x * WG + lane) * 4u;
  let q = wg.y;
  if (d >= p.D) { return; }
  var sum: vec4f = vec4f();
  if (q < p.prefix) {
    sum = x_load4(q * p.D + d);
  } else {
    let v = (q - p.prefix) / p.U;
    let u = q - p.prefix - v * p.U;
    for (var i = 0u; i < p.I; i++) {
      let row = p.prefix + (sv[v] + i) * p.across + su[u];
      let weight = wv[v * p.I + i];
      for (var j = 0u; j < p.J; j++) {
        sum = fma(vec4f(weight * wu[u * p.J + j]), x_load4((row + j) * p.D + d), sum);
      }
    }
  }
  let at = q * p.D + d;
  //!if vec=4
  y_store4(at, sum);
  //!else
  //!for c in 0..4
  if (d + $c < p.D) { y[at + $c] = sum[$c]; }
  //!end
  //!end
}
