//! matmul_bwd_columns: partial column sums over blocks of rows, four columns an invocation
//! part[s,f] = sum_m dy[m,f] * act(pre[m,f]), m in block s of ceil(M/S) rows; without pre the sum of dy
//!
//! in     dy     [M, F]   T/4
//! in?    pre    [M, N]   T/4     N = F, or 2 F for swiglu
//! out    part   [S, F]   f32/4
//! param  zero0  u32
//! param  zero1  u32             columns zero0 .. zero1 are 0
//! option act    none | gelu | silu | swiglu
//! tune   WG = 64         8 | 64
//! lib    activation
//! grid   ceil(F/(WG*4)), S
//! flops  2*M*F
//! ref    tests/ref/linear.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let f = (wg.x * WG + lane) * 4u;
  if (f >= p.F) { return; }
  let rows = (p.M + p.S - 1u) / p.S;
  var sum: vec4f = vec4f();
  for (var m = wg.y * rows; m < min(p.M, (wg.y + 1u) * rows); m++) {
    var d = dy_load4(m * p.F + f);
    //!if pre
    let u = pre_load4(m * p.N + f);
    //!if act=none
    d *= u;
    //!end
    //!if act=gelu
    d *= gelu4(u);
    //!end
    //!if act=silu
    d *= silu4(u);
    //!end
    //!if act=swiglu
    d *= silu4(u) * pre_load4(m * p.N + p.F + f);
    //!end
    //!end
    sum += d;
  }
  let at = vec4u(f, f + 1u, f + 2u, f + 3u);
  sum = select(sum, vec4f(), (at >= vec4u(p.zero0)) & (at < vec4u(p.zero1)));
  let i = wg.y * p.F + f;
  //!if vec=4
  part_store4(i, sum);
  //!else
  //!for q in 0..4
  if (f + $q < p.F) { part[i + $q] = sum[$q]; }
  //!end
  //!end
}
