//! layernorm_bwd_input: gradient of layernorm with respect to its input
//! dx[m,d] = rstd[m] * (h - mean_d(h) - xh * mean_d(h * xh)), h = dy * gamma, xh = (x - mean) * rstd
//!
//! in     x       [M, D]   T/4
//! in?    gamma   [D]      f32/4
//! in     stats   [M, 2]   f32   mean, rstd
//! in     dy      [M, D]   T/4
//! out    dx      [M, D]   T/4
//! tune   WG = 64                32 | 64 | 128 | 256
//! tune   KEEP = 4               1 | 2 | 3 | 4    groups of four elements an invocation keeps in registers
//! grid   fold M                 one workgroup a row
//! flops  10*M*D
//! limit  D <= 4*WG*KEEP
//! lib    reduce_pair rows
//! ref    tests/ref/layernorm.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg);
  if (m >= p.M) { return; }
  let row = m * p.D;
  let mean = stats[m * 2u];
  let rstd = stats[m * 2u + 1u];
  // Groups past the end of the row count nothing and are not written.
  var s = vec4f();
  var c = vec4f();
  //!for q in 0..KEEP
  let d$q = ($q * WG + lane) * 4u;
  var h$q = vec4f();
  var x$q = vec4f();
  if (d$q < p.D) {
    //!if gamma
    h$q = within(dy_load4(row + d$q) * gamma_load4(d$q), d$q, 0.0);
    //!else
    h$q = within(dy_load4(row + d$q), d$q, 0.0);
    //!end
    x$q = within((x_load4(row + d$q) - mean) * rstd, d$q, 0.0);
  }
  s += h$q;
  c += h$q * x$q;
  //!end
  let means = reducePair(vec2f(sum4(s), sum4(c)), lane) / f32(p.D);
  //!for q in 0..KEEP
  if (d$q < p.D) { putDx(row, d$q, rstd * (h$q - means.x - x$q * means.y)); }
  //!end
}
