//! attention_fwd: softmax attention of all heads, online over tiles of 32 keys, a workgroup a tile of 32 queries
//! o[b,i,h,:] = sum_j p[i,j] v[b,j,h,:], p = softmax_j(scale * sum_c q[b,i,h,c] k[b,j,h,c]), lse = log sum_j exp(…)
//!
//! in     q      [Bq, Nq, QC]  T/4   Bq = B, or 1: shared by the batch; q of head h at h*E
//! in     kv     [B, Nk, KC]   T/4   k of head h at first + h*E, v at first + D + h*E
//! out    o      [B, Nq, D]    T/4   head h at h*E
//! out?   lse    [B, H, Nq]    f32   kept for attention_bwd_*
//! param  first  u32
//! param  scale  f32
//! tune   E4 = 16   4 | 5 | 6 | 8 | 10 | 12 | 14 | 16 | 18 | 20 | 24 | 28 | 32   quarter of the head width E
//! tune   EC4 = 8   4 | 5 | 6 | 7 | 8     quarters of channels staged at a time for products, a divisor of E4
//! tune   CU = 2    1 | 2                 of them in one go, a divisor of EC4
//! tune   EG = 2    1 | 2 | 3 | 4         ceil(E4/8)
//! tune   WX = 8    2 | 4 | 8             vectors of weights used at a time, at most 16/EG
//! tune   KEEP = 0  0 | 1                 queries are read once and not with every tile of keys; E4 at most 16
//! tune   SUBGROUPS = 0  0 | 1            maxima are exchanged by subgroups, to the same bits
//! grid   ceil(Nq/32), D/(4*E4), B
//! flops  4*B*Nq*Nk*D
//! touch  q Bq*Nq*D
//! touch  kv 2*B*Nk*D
//! lib    attention_products attention_sums row_exchange scores marks logits logarithm
//! ref    tests/ref/attention.ts

var<workgroup> rowParts: array<f32, 256>;
var<private> head: vec2u;

fn rowLoad(operand: u32, i: u32, c: u32) -> vec4f {
  return q_load4((min(head.y, p.Bq - 1u) * p.Nq + min(i, p.Nq - 1u)) * p.QC + (head.x * E4 + c) * 4u);
}

fn colLoad(operand: u32, j: u32, c: u32) -> vec4f {
  return kv_load4((head.y * p.Nk + min(j, p.Nk - 1u)) * p.KC + p.first + operand * p.D + (head.x * E4 + c) * 4u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  head = wg.yz;
  let row0 = wg.x * 32u;
  let ty = lane >> 3u;
  let tx = lane & 7u;
  var most = vec4f(LEAST);
  var total = vec4f();
  var o = Sums();
  //!if KEEP=1
  keepRows(row0, lane);
  //!end
  for (var col0 = 0u; col0 < p.Nk; col0 += 32u) {
    let s = products(0u, row0, col0, lane);
    let inside = vec4u(col0 + tx) + vec4u(0u, 8u, 16u, 24u) < vec4u(p.Nk);
    //!for i in 0..4
    let s$i = select(vec4f(LEAST), score4(s[$i] * p.scale), inside);
    //!if SUBGROUPS=0
    rowParts[ty * 8 + (tx + $i * 64)] = max(max(s$i.x, s$i.y), max(s$i.z, s$i.w));
    //!end
    //!end
    let before = most;
    //!if SUBGROUPS=1
    most = max(most, rowsMost(vec4f(max4(s0), max4(s1), max4(s2), max4(s3))));
    //!else
    workgroupBarrier();
    //!for i in 0..4
    //!for x in 0..8
    most[$i] = max(most[$i], rowParts[ty * 8 + ($i * 64 + $x)]);
    //!end
    //!end
    //!end
    // Exactly 1 where the top stays: exp(0) may be 3 units off at every step.
    let shrink = select(power4(before - most), vec4f(1.0), before == most);
    //!for i in 0..4
    let p$i = select(vec4f(), power4(s$i - most[$i]), inside);
    weights[ty * 9 + (tx + $i * 72)] = p$i;
    //!end
    total = total * shrink + vec4f(dot(p0, vec4f(1.0)), dot(p1, vec4f(1.0)), dot(p2, vec4f(1.0)), dot(p3, vec4f(1.0)));
    //!for g in 0..EG
    o.g$g = mat4x4f(o.g$g[0] * shrink.x, o.g$g[1] * shrink.y, o.g$g[2] * shrink.z, o.g$g[3] * shrink.w);
    //!end
    o = addWeighted(o, 1u, col0, lane);
  }
  //!for i in 0..4
  rowParts[ty * 8 + (tx + $i * 64)] = total[$i];
  //!end
  workgroupBarrier();
  //!for i in 0..4
  {
    var sum: f32 = 0.0;
    //!for x in 0..8
    sum += rowParts[ty * 8 + ($i * 64 + $x)];
    //!end
    let row = row0 + ty + $i * 8;
    if (row < p.Nq) {
      let mark = markOfTop(most[$i]);
      let to = (head.y * p.Nq + row) * p.D + head.x * (E4 * 4u);
      //!for g in 0..EG
      if (tx + $g * 8 < E4) { o_store4(to + (tx + $g * 8) * 4, marked4(o.g$g[$i] / sum, mark)); }
      //!end
      //!if lse
      if (tx == 0u) { lse[(head.y * p.H + head.x) * p.Nq + row] = marked(most[$i] + log4(vec4f(sum)).x, mark); }
      //!end
    }
  }
  //!end
}
