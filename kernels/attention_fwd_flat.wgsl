//! attention_fwd_flat: attention_fwd without barriers, LR queries an invocation, all of them in registers
//! o[b,i,h,:] = sum_j p[i,j] v[b,j,h,:], p = softmax_j(scale * sum_c q[b,i,h,c] k[b,j,h,c]), lse = log sum_j exp(…)
//!
//! in     q      [Bq, Nq, QC]  T/4   Bq = B, or 1: shared by the batch; q of head h at h*E
//! in     kv     [B, Nk, KC]   T/4   k of head h at first + h*E, v at first + D + h*E
//! out    o      [B, Nq, D]    T/4   head h at h*E
//! out?   lse    [B, H, Nq]    f32   kept for attention_bwd_*
//! param  first  u32
//! param  scale  f32
//! tune   E4 = 16   4 | 5 | 6 | 8 | 10 | 12 | 14 | 16 | 18 | 20 | 24 | 28 | 32   quarter of the head width E
//! tune   LR = 5    1 | 2 | 3 | 4 | 5                                            spilled registers stay in L1
//! lib    scores marks logits logarithm
//! grid   ceil(Nq/(8*LR)), D/(4*E4), B
//! flops  4*B*Nq*Nk*D
//! touch  q Bq*Nq*D
//! touch  kv 2*B*Nk*D
//! ref    tests/ref/attention.ts
// A load costs as much as dozens of FMAs on llvmpipe, so each of k and v serves LR rows. No early return: it would make
// every later instruction conditional.

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = wg.y * (E4 * 4u);
  let qRow = min(wg.z, p.Bq - 1u) * p.Nq;
  //!for t in 0..LR
  var most$t: f32 = LEAST;
  var sum$t: f32 = 0.0;
  //!for c in 0..E4
  var q$t_$c: vec4f = vec4f();
  var o$t_$c: vec4f = vec4f();
  //!end
  //!end
  // Text for one query reads all, and below writes them, the last one first, and they move on: loads and stores written for each
  // of them take longer to compile than what lies between.
  for (var t = LR; t > 0u; t--) {
    let start = (qRow + min(wg.x * (8u * LR) + lane + (t - 1u) * 8u, p.Nq - 1u)) * p.QC + at;
    //!for c in 0..E4
    {
      var moved = q_load4(start + $c * 4) * p.scale;
      //!for t in 0..LR
      let old$t = q$t_$c;
      q$t_$c = moved;
      moved = old$t;
      //!end
    }
    //!end
  }
  for (var j = 0u; j < p.Nk; j++) {
    let key = (wg.z * p.Nk + j) * p.KC + p.first + at;
    //!for t in 0..LR
    var s$t: f32 = 0.0;
    //!end
    //!for c in 0..E4
    {
      let k = kv_load4(key + $c * 4);
      //!for t in 0..LR
      s$t += dot(q$t_$c, k);
      //!end
    }
    //!end
    //!for t in 0..LR
    s$t = score(s$t);
    let before$t = most$t;
    most$t = max(most$t, s$t);
    // Exactly 1 where the top stays: exp(0) may be 3 units off at every step.
    let shrink$t = select(power(before$t - most$t), 1.0, before$t == most$t);
    let e$t = power(s$t - most$t);
    sum$t = sum$t * shrink$t + e$t;
    //!end
    //!for c in 0..E4
    {
      let v = kv_load4(key + p.D + $c * 4);
      //!for t in 0..LR
      o$t_$c = o$t_$c * shrink$t + e$t * v;
      //!end
    }
    //!end
  }
  for (var t = LR; t > 0u; t--) {
    var most: f32 = 0.0;
    var sum: f32 = 0.0;
    //!for t in 0..LR
    let oldMost$t = most$t;
    let oldSum$t = sum$t;
    most$t = most;
    sum$t = sum;
    most = oldMost$t;
    sum = oldSum$t;
    //!end
    let i = wg.x * (8u * LR) + lane + (t - 1u) * 8u;
    let inverse = 1.0 / sum;
    let mark = markOfTop(most);
    let to = (wg.z * p.Nq + i) * p.D + at;
    //!for c in 0..E4
    {
      var moved: vec4f = vec4f();
      //!for t in 0..LR
      let old$t = o$t_$c;
      o$t_$c = moved;
      moved = old$t;
      //!end
      if (i < p.Nq) { o_store4(to + $c * 4, marked4(moved * inverse, mark)); }
    }
    //!end
    //!if lse
    if (i < p.Nq) { lse[(wg.z * p.H + wg.y) * p.Nq + i] = marked(most + log4(vec4f(sum)).x, mark); }
    //!end
  }
}
