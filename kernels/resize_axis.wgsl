//! resize_axis: interpolation along one axis, one element an invocation
//! y[a,o,c] = sum_k weight[o,k] x[a, start[o] + k, c]
//!
//! in?    x       [A, N, C]   f32
//! in?    bytes   [A, N, C]   u8    instead of x
//! in     start   [O]         u32
//! in     weight  [O, K]      f32
//! out    y       [A, O, C]   f32
//! tune   WG = 64             8 | 64
//! grid   fold ceil(A*O*C/WG)
//! flops  2*A*O*C*K
//! ref    tests/ref/resize.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.A * p.O * p.C) { return; }
  let line = i / p.C;
  let a = line / p.O;
  let o = line - a * p.O;
  var at = (a * p.N + start[o]) * p.C + i - line * p.C;
  var sum: f32 = 0.0;
  for (var k = 0u; k < p.K; k++) {
    //!if bytes
    sum = fma(weight[o * p.K + k], f32(bytes_load(at)), sum);
    //!else
    sum = fma(weight[o * p.K + k], x[at], sum);
    //!end
    at += p.C;
  }
  y[i] = sum;
}
