//! gather_columns: columns of a matrix by index; a column that does not exist reads as NaN
//! y[m, k] = x[m, index[k]], index[k] < C
//!
//! in     x      [M, C]   T
//! in     index  [K]      u32
//! out    y      [M, K]   T
//! tune   WG = 64         64 | 256
//! grid   fold ceil(M*K/WG)
//! flops  0
//! touch  x M*K
//! ref    tests/ref/gather.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.M * p.K) { return; }
  let m = i / p.K;
  let c = index[i - m * p.K];
  // Not a constant expression: compilers refuse a NaN that they can see.
  var value: T = narrow(bitcast<f32>(c | 0x7fc00000u));
  if (c < p.C) { value = x[m * p.C + c]; }
  y[i] = value;
}
