//! resize_axis_bytes: interpolation along one axis in Pillow's integer arithmetic, four bytes an invocation
//! y[a,o,c] = clamp((2^21 + sum_k weight[o,k] x[a, start[o] + k, c]) >> 22, 0, 255)
//!
//! in     x       [A, N, C]   u8
//! in     start   [O]         u32
//! in     weight  [O, K]      i32   22 fractional bits
//! out    y       [A, O, C]   u8
//! tune   WG = 64             8 | 64
//! grid   fold ceil(A*O*C/(4*WG))
//! flops  2*A*O*C*K
//! ref    tests/ref/resize.ts

fn byteOf(i: u32) -> u32 {
  let line = i / p.C;
  let a = line / p.O;
  let o = line - a * p.O;
  var at = (a * p.N + start[o]) * p.C + i - line * p.C;
  var sum: i32 = 2097152;
  for (var k = 0u; k < p.K; k++) {
    sum += weight[o * p.K + k] * i32(x_load(at));
    at += p.C;
  }
  return u32(clamp(sum >> 22u, 0, 255));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let word = folded(wg, nwg) * WG + lane;
  let n = p.A * p.O * p.C;
  if (word * 4u >= n) { return; }
  var packed: u32 = 0u;
  for (var q = 0u; q < min(4u, n - word * 4u); q++) { packed |= byteOf(word * 4u + q) << (q * 8u); }
  y[word] = packed;
}
