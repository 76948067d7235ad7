//! matmul_reduce: adds the slices of a split matmul in order, then what may follow it; four columns an invocation
//! y[m,n] = residual[m,n] + gamma[n] * act(sum_s part[s,m,n] + bias[n])
//!
//! in     part      [S, M, N]   f32/4
//! in?    bias      [N]         f32/4
//! in?    gamma     [F]         f32/4
//! in?    residual  [M, F]      T/4
//! out    y         [M, F]      T/4     F = N, or N/2 for swiglu
//! out?   pre       [M, N]      T/4     before act, for backward
//! option act       none | gelu | silu | swiglu
//! tune   WG = 64   8 | 64
//! lib    matmul_epilogue activation
//! grid   fold ceil(M*ceil(F/4)/WG)
//! flops  S*M*N
//! ref    tests/ref/matmul.ts

fn total(m: u32, n: u32) -> vec4f {
  var sum: vec4f = vec4f();
  for (var s = 0u; s < p.S; s++) { sum += part_load4((s * p.M + m) * p.N + n); }
  return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  let groups = (p.F + 3u) / 4u;
  let m = i / groups;
  let f = (i - m * groups) * 4u;
  if (m >= p.M) { return; }
  //!if act=swiglu
  finishPair(total(m, f), total(m, p.F + f), 0u, m, f);
  //!else
  finish(total(m, f), 0u, m, f);
  //!end
}
