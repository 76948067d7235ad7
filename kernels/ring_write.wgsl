//! ring_write: keep a scalar of this step on the device, to be read many steps later
//! ring[step mod R, column] = x[0]
//!
//! inout  ring    [R, C]   f32
//! in     x       [1]      f32
//! in     random  [4]      u32   key (2), first row, step
//! param  column  u32
//! tune   WG = 1           1
//! grid   1
//! flops  0
//! touch  ring 1
//! ref    tests/ref/ring.ts

@compute @workgroup_size(WG)
fn main() {
  ring[(random[3] % p.R) * p.C + p.column] = x[0];
}
