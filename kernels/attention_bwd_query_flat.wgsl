//! attention_bwd_query_flat: attention_bwd_query without barriers, LR queries an invocation
//! dq[i,:] = scale * sum_j ds[i,j] k[j,:], ds = p * (dy v^T - delta), p = exp(scale * q k^T - lse)
//!
//! in     q      [Bq, Nq, QC]  T/4   as in attention_fwd
//! in     kv     [B, Nk, KC]   T/4
//! in     dy     [B, Nq, D]    T/4   gradient of o
//! in     lse    [B, H, Nq]    f32
//! in     delta  [B, H, Nq]    f32   from attention_delta
//! out?   dq     [B, Nq, QC]   T/4   only the columns of q are written
//! out?   part   [B, Nq, QC]   f32/4  instead of dq where q is shared: to be summed over the batch
//! param  first  u32
//! param  scale  f32
//! tune   E4 = 16   4 | 5 | 6 | 8 | 10 | 12 | 14 | 16 | 18 | 20 | 24 | 28 | 32   quarter of the head width E
//! tune   LR = 3    1 | 2 | 3 | 4 | 5
//! grid   ceil(Nq/(8*LR)), H, B
//! flops  6*B*Nq*Nk*D
//! touch  q Bq*Nq*D
//! touch  kv 2*B*Nk*D
//! touch  dq B*Nq*D
//! touch  part B*Nq*D
//! lib    scores marks logits
//! ref    tests/ref/attention.ts

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = wg.y * (E4 * 4u);
  let qRow = min(wg.z, p.Bq - 1u) * p.Nq;
  //!for t in 0..LR
  let row$t = min(wg.x * (8u * LR) + lane + $t * 8, p.Nq - 1u);
  let lse$t = lse[(wg.z * p.H + wg.y) * p.Nq + row$t];
  let delta$t = delta[(wg.z * p.H + wg.y) * p.Nq + row$t];
  //!for c in 0..E4
  var q$t_$c: vec4f = vec4f();
  var g$t_$c: vec4f = vec4f();
  var dq$t_$c: vec4f = vec4f();
  //!end
  //!end
  // Text for one query reads all, and below writes them, the last one first, and they move on: see attention_fwd_flat.
  for (var t = LR; t > 0u; t--) {
    let row = min(wg.x * (8u * LR) + lane + (t - 1u) * 8u, p.Nq - 1u);
    //!for c in 0..E4
    {
      var q = q_load4((qRow + row) * p.QC + at + $c * 4) * p.scale;
      var g = dy_load4((wg.z * p.Nq + row) * p.D + at + $c * 4);
      //!for t in 0..LR
      let q$t = q$t_$c;
      let g$t = g$t_$c;
      q$t_$c = q;
      g$t_$c = g;
      q = q$t;
      g = g$t;
      //!end
    }
    //!end
  }
  for (var j = 0u; j < p.Nk; j++) {
    let key = (wg.z * p.Nk + j) * p.KC + p.first + at;
    //!for t in 0..LR
    var s$t = -lse$t;
    var e$t = -delta$t;
    //!end
    //!for c in 0..E4
    {
      let v = kv_load4(key + p.D + $c * 4);
      //!for t in 0..LR
      e$t += dot(g$t_$c, v);
      //!end
    }
    //!end
    //!for c in 0..E4
    let k$c = kv_load4(key + $c * 4);
    //!for t in 0..LR
    s$t += dot(q$t_$c, k$c);
    //!end
    //!end
    //!for t in 0..LR
    e$t *= likely(s$t);
    //!for c in 0..E4
    dq$t_$c += e$t * k$c;
    //!end
    //!end
  }
  for (var t = LR; t > 0u; t--) {
    let i = wg.x * (8u * LR) + lane + (t - 1u) * 8u;
    let stat = (wg.z * p.H + wg.y) * p.Nq + min(i, p.Nq - 1u);
    let mark = markOf(lse[stat]) | markOf(delta[stat]);
    let to = (wg.z * p.Nq + i) * p.QC + at;
    //!for c in 0..E4
    {
      var dq: vec4f = vec4f();
      //!for t in 0..LR
      let dq$t = dq$t_$c;
      dq$t_$c = dq;
      dq = dq$t;
      //!end
      if (i < p.Nq) {
        //!if part
        part_store4(to + $c * 4, marked4(dq * p.scale, mark));
        //!else
        dq_store4(to + $c * 4, marked4(dq * p.scale, mark));
        //!end
      }
    }
    //!end
  }
}
