//! sum_block: scaled sum over one dimension of a block, in order
//! y[r, c] = scale * sum_k x[r * x_row + x_at + k * x_step + c], k < count, in units of U elements
//!
//! in     x       [X, U]   T/4   U is 4 where all counts allow it, else 1
//! out?   y       [Y, U]   T/4   Y = R * C
//! out?   total   [Y, U]   f32/4   instead of y
//! param  C       u32
//! param  count   u32
//! param  x_row   u32
//! param  x_at    u32
//! param  x_step  u32
//! param  scale   f32
//! tune   WG = 64                64 | 256
//! lib    unit
//! grid   fold ceil(Y/WG)
//! flops  Y*U*count
//! touch  x Y*U*count
//! ref    tests/ref/token.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.Y) { return; }
  let r = i / p.C;
  let xi = r * p.x_row + p.x_at + (i - r * p.C);
  var sum: Wide = Wide();
  for (var k = 0u; k < p.count; k++) { sum += Wide(x[xi + k * p.x_step]); }
  //!if y
  y[i] = toUnit(sum * p.scale);
  //!else
  total[i] = sum * p.scale;
  //!end
}
