//! copy_block: copy a block of each row of one tensor into a block of each row of another
//! y[r * y_step + y_at + c] = x[r * x_step + x_at + c], r < R, c < C; all counts in units of U elements
//!
//! in     x       [X, U]   W/4   U is 4 where all counts allow it, else 1
//! out    y       [Y, U]   T/4   only the blocks are written
//! param  R       u32            rows
//! param  C       u32            units of a block
//! param  x_step  u32            0 copies the same block to every row
//! param  x_at    u32
//! param  y_step  u32
//! param  y_at    u32
//! tune   WG = 64                64 | 256
//! grid   fold ceil(R*C/WG)
//! flops  0
//! touch  x R*C*U
//! touch  y R*C*U
//! ref    tests/ref/slice.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.R * p.C) { return; }
  let r = i / p.C;
  let c = i - r * p.C;
  let xi = r * p.x_step + p.x_at + c;
  let yi = r * p.y_step + p.y_at + c;
  //!if vec=4
  y_store4(yi * 4u, x_load4(xi * 4u));
  //!else
  y[yi] = narrow(x_load(xi));
  //!end
}
