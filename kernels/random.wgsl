//! random: noise by counter; uniform in [0, 1), standard normal by Box-Muller on pairs, or 1 with probability `rate`
//! y[a,r,c] from (u, v) = threefry(key = (key0, key1 ^ stream), counter = (a * ceil(C/2) + c/2, first row + r))
//! normal: sqrt(-2 ln(1 - u)) * (cos, sin)(2 pi (v - 1/2))
//!
//! in     random     [4]        u32   key of the step (2), first row, step
//! out    y          [A, R, C]  T     R rows of the batch
//! param  stream     u32              of the name
//! param  threshold  u32              rate * 2^32
//! option kind       uniform | normal | bernoulli
//! tune   WG = 64               64 | 256
//! lib    threefry logarithm turn
//! grid   fold ceil(A*R*ceil(C/2)/WG)
//! flops  8*A*R*C
//! ref    tests/ref/random.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = folded(wg, nwg) * WG + lane;
  let pairs = (p.C + 1u) / 2u;
  if (id >= p.A * p.R * pairs) { return; }
  let row = id / pairs;
  let pair = id - row * pairs;
  let a = row / p.R;
  let word = threefry(vec2u(random[0], random[1] ^ p.stream), vec2u(a * pairs + pair, random[2] + row - a * p.R));
  //!if kind=bernoulli
  let value = select(vec2f(), vec2f(1.0), word < vec2u(p.threshold));
  //!else
  // 24 bits, which f32 holds exactly.
  let unit = vec2f(word >> vec2u(8u)) * 5.9604644775390625e-8;
  //!if kind=uniform
  let value = unit;
  //!end
  //!if kind=normal
  // The built-in functions differ between devices by more than rounding.
  let square = -2.0 * log4(vec4f(1.0 - unit.x)).x;
  // WGSL derives the square root from its reciprocal, which 0 does not have; the least square above it is 2^-23.
  let value = select(0.0, sqrt(max(square, 0x1p-24f)), unit.x > 0.0) * turn(unit.y - 0.5);
  //!end
  //!end
  let i = row * p.C + pair * 2u;
  y[i] = narrow(value.x);
  if (pair * 2u + 1u < p.C) { y[i + 1u] = narrow(value.y); }
}
