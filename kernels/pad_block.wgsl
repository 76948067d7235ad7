//! pad_block: zeros everywhere but in one range of the middle dimension, which is filled from another tensor
//! y[r, l, c] = start <= l < start + count ? scale * x[r * x_row + (l - start) * x_step + c] : 0, in units of U elements
//!
//! in     x       [X, U]   T/4   U is 4 where all counts allow it, else 1
//! out    y       [Y, U]   T/4   Y = R * L * C
//! param  L       u32
//! param  C       u32
//! param  start   u32
//! param  count   u32
//! param  x_row   u32
//! param  x_step  u32            0 fills the range with one row
//! param  scale   f32
//! tune   WG = 64                64 | 256
//! lib    unit
//! grid   fold ceil(Y/WG)
//! flops  Y*U
//! ref    tests/ref/slice.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.Y) { return; }
  let row = i / p.C;
  let r = row / p.L;
  // Below start this wraps to a large number.
  let l = row - r * p.L - p.start;
  var v: Wide = Wide();
  if (l < p.count) { v = p.scale * Wide(x[r * p.x_row + l * p.x_step + (i - row * p.C)]); }
  y[i] = toUnit(v);
}
