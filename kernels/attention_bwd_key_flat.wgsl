//! attention_bwd_key_flat: attention_bwd_key without barriers, LR keys an invocation
//! dk[j,:] = scale * sum_i ds[i,j] q[i,:], dv[j,:] = sum_i p[i,j] dy[i,:], ds and p as in attention_bwd_query
//!
//! in     q      [Bq, Nq, QC]  T/4   as in attention_fwd
//! in     kv     [B, Nk, KC]   T/4
//! in     dy     [B, Nq, D]    T/4   gradient of o
//! in     lse    [B, H, Nq]    f32
//! in     delta  [B, H, Nq]    f32   from attention_delta
//! out    dkv    [B, Nk, KC]   T/4   only the columns of k and v are written
//! param  first  u32
//! param  scale  f32
//! tune   E4 = 16   4 | 5 | 6 | 8 | 10 | 12 | 14 | 16 | 18 | 20 | 24 | 28 | 32   quarter of the head width E
//! tune   LR = 2    1 | 2 | 3 | 4 | 5
//! grid   ceil(Nk/(8*LR)), H, B
//! flops  8*B*Nq*Nk*D
//! touch  q Bq*Nq*D
//! touch  kv 2*B*Nk*D
//! touch  dkv 2*B*Nk*D
//! lib    scores marks logits
//! ref    tests/ref/attention.ts

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = wg.y * (E4 * 4u);
  let qRow = min(wg.z, p.Bq - 1u) * p.Nq;
  //!for t in 0..LR
  let j$t = wg.x * (8u * LR) + lane + $t * 8;
  let key$t = (wg.z * p.Nk + min(j$t, p.Nk - 1u)) * p.KC + p.first + at;
  //!for c in 0..E4
  let k$t_$c = kv_load4(key$t + $c * 4) * p.scale;
  let v$t_$c = kv_load4(key$t + p.D + $c * 4);
  var dk$t_$c = vec4f();
  var dv$t_$c = vec4f();
  //!end
  //!end
  // Marks of dv and of dk.
  var mark = vec2u();
  for (var i = 0u; i < p.Nq; i++) {
    let stat = (wg.z * p.H + wg.y) * p.Nq + i;
    let negLse = -lse[stat];
    let negDelta = -delta[stat];
    mark |= vec2u(markOf(negLse), markOf(negLse) | markOf(negDelta));
    //!for t in 0..LR
    var s$t = negLse;
    var e$t = negDelta;
    //!end
    //!for c in 0..E4
    let q$c = q_load4((qRow + i) * p.QC + at + $c * 4);
    //!for t in 0..LR
    s$t += dot(k$t_$c, q$c);
    //!end
    //!end
    //!for t in 0..LR
    let p$t = likely(s$t);
    //!end
    //!for c in 0..E4
    {
      let g = dy_load4((wg.z * p.Nq + i) * p.D + at + $c * 4);
      //!for t in 0..LR
      e$t += dot(v$t_$c, g);
      dv$t_$c += p$t * g;
      //!end
    }
    //!end
    //!for t in 0..LR
    let ds$t = p$t * e$t;
    //!for c in 0..E4
    dk$t_$c += ds$t * q$c;
    //!end
    //!end
  }
  //!for t in 0..LR
  if (j$t < p.Nk) {
    let to = (wg.z * p.Nk + j$t) * p.KC + p.first + at;
    //!for c in 0..E4
    dkv_store4(to + $c * 4, marked4(dk$t_$c * p.scale, mark.y));
    dkv_store4(to + p.D + $c * 4, marked4(dv$t_$c, mark.x));
    //!end
  }
  //!end
}
