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
  //!for c in 0..E4
  var k$t_$c: vec4f = vec4f();
  var v$t_$c: vec4f = vec4f();
  var dk$t_$c: vec4f = vec4f();
  var dv$t_$c: vec4f = vec4f();
  //!end
  //!end
  // Text for one key reads all, and below writes them, the last one first, and they move on: see attention_fwd_flat.
  for (var t = LR; t > 0u; t--) {
    let j = wg.x * (8u * LR) + lane + (t - 1u) * 8u;
    let key = (wg.z * p.Nk + min(j, p.Nk - 1u)) * p.KC + p.first + at;
    //!for c in 0..E4
    {
      var k = kv_load4(key + $c * 4) * p.scale;
      var v = kv_load4(key + p.D + $c * 4);
      //!for t in 0..LR
      let k$t = k$t_$c;
      let v$t = v$t_$c;
      k$t_$c = k;
      v$t_$c = v;
      k = k$t;
      v = v$t;
      //!end
    }
    //!end
  }
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
  for (var t = LR; t > 0u; t--) {
    let j = wg.x * (8u * LR) + lane + (t - 1u) * 8u;
    let to = (wg.z * p.Nk + j) * p.KC + p.first + at;
    //!for c in 0..E4
    {
      var dk: vec4f = vec4f();
      var dv: vec4f = vec4f();
      //!for t in 0..LR
      let dk$t = dk$t_$c;
      let dv$t = dv$t_$c;
      dk$t_$c = dk;
      dv$t_$c = dv;
      dk = dk$t;
      dv = dv$t;
      //!end
      if (j < p.Nk) {
        dkv_store4(to + $c * 4, marked4(dk * p.scale, mark.y));
        dkv_store4(to + p.D + $c * 4, marked4(dv, mark.x));
      }
    }
    //!end
  }
}
