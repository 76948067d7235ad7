//! sum_vector: scaled sum of all elements, by one workgroup in fixed order
//! y[0] = factor * sum_i x[i]
//!
//! in     x       [n]   f32
//! out    y       [1]   f32
//! param  factor  f32
//! tune   WG = 64       64 | 256
//! grid   1
//! flops  n
//! lib    reduce
//! ref    tests/ref/elementwise.ts

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  var s: f32 = 0.0;
  for (var i = lane; i < p.n; i += WG) { s += x[i]; }
  let total = reduceSum(s, lane);
  if (lane == 0u) { y[0] = p.factor * total; }
}
