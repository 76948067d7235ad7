//! matmul_bwd_act: gradient before the activation of a linear layer, four columns an invocation
//! dz[m,n] = dy[m,n] * gamma[n] * act'(pre[m,n]); swiglu: both halves of dz from y = silu(pre[m,f]) * pre[m,F+f]
//!
//! in     dy     [M, F]   T/4
//! in?    gamma  [F]      f32/4
//! in?    pre    [M, N]   T/4
//! out    dz     [M, N]   T/4     N = F, or 2 F for swiglu
//! option act    none | gelu | silu | swiglu
//! tune   WG = 64   8 | 64
//! lib    activation
//! grid   fold ceil(M*ceil(F/4)/WG)
//! flops  20*M*N
//! ref    tests/ref/linear.ts

fn storeDz(i: u32, v: vec4f, count: u32) {
  //!if vec=4
  dz_store4(i, v);
  //!else
  //!for q in 0..4
  if ($q < count) { dz[i + $q] = narrow(v[$q]); }
  //!end
  //!end
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  let groups = (p.F + 3u) / 4u;
  let m = i / groups;
  let f = (i - m * groups) * 4u;
  if (m >= p.M) { return; }
  var d = dy_load4(m * p.F + f);
  //!if gamma
  d *= gamma_load4(f);
  //!end
  //!if act=swiglu
  let gate = pre_load4(m * p.N + f);
  let value = pre_load4(m * p.N + p.F + f);
  storeDz(m * p.N + f, d * value * siluSlope4(gate), p.F - f);
  storeDz(m * p.N + p.F + f, d * silu4(gate), p.F - f);
  //!else
  //!if act=gelu
  d *= geluSlope4(pre_load4(m * p.N + f));
  //!end
  //!if act=silu
  d *= siluSlope4(pre_load4(m * p.N + f));
  //!end
  storeDz(m * p.N + f, d, p.F - f);
  //!end
}
