//! layernorm_fwd: normalise each row of x, then scale and shift
//! y[m,d] = (x[m,d] - mean[m]) * rstd[m] * gamma[d] + beta[d]
//!
//! in     x      [M, D]   T/4
//! in?    gamma  [D]      f32/4
//! in?    beta   [D]      f32/4
//! out    y      [M, D]   T/4
//! out?   stats  [M, 2]   f32   mean, rstd; kept for layernorm_bwd_*
//! param  eps    f32            added to the variance
//! tune   WG = 64               32 | 64 | 128 | 256
//! tune   KEEP = 4              1 | 2 | 3 | 4    groups of four elements an invocation keeps in registers
//! grid   fold M                one workgroup a row
//! flops  8*M*D
//! limit  D <= 4*WG*KEEP
//! lib    reduce reduce_pair rows root
//! ref    tests/ref/layernorm.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg);
  if (m >= p.M) { return; }
  let row = m * p.D;
  // Groups past the end of the row count nothing and are not written.
  var s = vec4f();
  //!for q in 0..KEEP
  let d$q = ($q * WG + lane) * 4u;
  var x$q = vec4f();
  if (d$q < p.D) { x$q = within(x_load4(row + d$q), d$q, 0.0); }
  s += x$q;
  //!end
  let rough = reduceSum(sum4(s), lane) / f32(p.D);
  // The sum of what is left over corrects the rounding of the mean.
  var c = vec4f();
  var v = vec4f();
  //!for q in 0..KEEP
  if (d$q < p.D) {
    x$q = within(x$q - rough, d$q, 0.0);
    c += x$q;
    v += x$q * x$q;
  }
  //!end
  let rest = reducePair(vec2f(sum4(c), sum4(v)), lane) / f32(p.D);
  let rstd = inverseRoot(rest.y - rest.x * rest.x + p.eps);
  //!for q in 0..KEEP
  if (d$q < p.D) {
    var out$q = (x$q - rest.x) * rstd;
    //!if gamma
    out$q *= gamma_load4(d$q);
    //!end
    //!if beta
    out$q += beta_load4(d$q);
    //!end
    putY(row, d$q, out$q);
  }
  //!end
  //!if stats
  if (lane == 0u) {
    stats[m * 2u] = rough + rest.x;
    stats[m * 2u + 1u] = rstd;
  }
  //!end
}
