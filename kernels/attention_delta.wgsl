//! attention_delta: what the softmax's gradient subtracts from every row, one invocation a row and head
//! delta[b,h,i] = sum_c dy[b,i,h*E+c] * o[b,i,h*E+c]
//!
//! in     o      [B, Nq, D]  T/4   output of attention_fwd
//! in     dy     [B, Nq, D]  T/4   its gradient
//! out    delta  [B, H, Nq]  f32
//! limit  D % (4*H) == 0
//! tune   WG = 64            8 | 64
//! grid   fold ceil(B*Nq*H/WG)
//! flops  2*B*Nq*D
//! ref    tests/ref/attention.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Heads run fastest, so that neighbours read neighbouring channels.
  let n = folded(wg, nwg) * WG + lane;
  if (n >= p.B * p.Nq * p.H) { return; }
  let row = n / p.H;
  let h = n - row * p.H;
  let b = row / p.Nq;
  let i = row - b * p.Nq;
  let E = p.D / p.H;
  var sum: f32 = 0.0;
  for (var c = 0u; c < E; c += 4u) { sum += dot(o_load4(row * p.D + h * E + c), dy_load4(row * p.D + h * E + c)); }
  delta[(b * p.H + h) * p.Nq + i] = sum;
}
