//! random: noise by counter; uniform in [0, 1), standard normal by Box-Muller on pairs, or 1 with probability `rate`
//! y[i] from (u, v) = threefry(key = (seed, stream), counter = (i / 2, step)); normal: sqrt(-2 ln(1 - u)) * (cos, sin)(2 pi (v - 1/2))
//!
//! in     random     [2]   u32   seed, step
//! out    y          [n]   T
//! param  stream     u32
//! param  threshold  u32         rate * 2^32
//! option kind       uniform | normal | bernoulli
//! tune   WG = 64          64 | 256
//! lib    threefry
//! grid   fold ceil(n/(WG*2))
//! ref    tests/ref/random.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let pair = folded(wg, nwg) * WG + lane;
  let word = threefry(vec2u(random[0], p.stream), vec2u(pair, random[1]));
  //!if kind=bernoulli
  let value = select(vec2f(), vec2f(1.0), word < vec2u(p.threshold));
  //!else
  // 24 bits, which f32 holds exactly.
  let unit = vec2f(word >> vec2u(8u)) * 5.9604644775390625e-8;
  //!if kind=uniform
  let value = unit;
  //!end
  //!if kind=normal
  let angle = 6.283185307179586 * (unit.y - 0.5);
  let value = sqrt(-2.0 * log(1.0 - unit.x)) * vec2f(cos(angle), sin(angle));
  //!end
  //!end
  //!for q in 0..2
  if (pair * 2u + $q < p.n) { y[pair * 2u + $q] = T(value[$q]); }
  //!end
}
