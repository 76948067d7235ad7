//! permute: reorder dimensions; one unit of U elements an invocation, written in order, read by strides
//! y[i_n, .., i_1, i_0] = x[i_n * s_outer + .. + i_1 * s1 + i_0 * s0], e0 .. the inner extents of y, in units of U elements
//!
//! in     x        [X, U]   T/4   U is 4 where the last dimension stays and allows it, else 1
//! out    y        [X, U]   T/4
//! param  e0       u32
//! param  e1       u32
//! param  e2       u32
//! param  e3       u32
//! param  e4       u32
//! param  s0       u32
//! param  s1       u32
//! param  s2       u32
//! param  s3       u32
//! param  s4       u32
//! param  s_outer  u32
//! tune   INNER = 1   1 | 2 | 3 | 4 | 5   dimensions but the outermost
//! tune   WG = 64     64 | 256
//! grid   fold ceil(X/WG)
//! flops  0
//! ref    tests/ref/permute.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.X) { return; }
  var rest = i;
  var xi = 0u;
  var next = 0u;
  //!for k in 0..INNER
  next = rest / p.e$k;
  xi += (rest - next * p.e$k) * p.s$k;
  rest = next;
  //!end
  y[i] = x[xi + rest * p.s_outer];
}
