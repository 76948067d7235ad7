//! attention_bwd_query: gradient of attention with respect to q, a workgroup a tile of 32 queries
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
//! tune   EC4 = 8   4 | 5 | 6 | 7 | 8     quarters of channels staged at a time for products, a divisor of E4
//! tune   CU = 2    1 | 2                 of them in one go, a divisor of EC4
//! tune   EG = 2    1 | 2 | 3 | 4         ceil(E4/8)
//! tune   WX = 8    4 | 8                 vectors of weights used at a time, at most 16/EG
//! grid   ceil(Nq/32), H, B
//! flops  6*B*Nq*Nk*D
//! touch  q Bq*Nq*D
//! touch  kv 2*B*Nk*D
//! touch  dq B*Nq*D
//! touch  part B*Nq*D
//! lib    attention_products attention_sums scores marks logits
//! ref    tests/ref/attention.ts

var<private> head: vec2u;

fn rowLoad(operand: u32, i: u32, c: u32) -> vec4f {
  let row = min(i, p.Nq - 1u);
  let column = (head.x * E4 + c) * 4u;
  if (operand == 1u) { return dy_load4((head.y * p.Nq + row) * p.D + column); }
  return q_load4((min(head.y, p.Bq - 1u) * p.Nq + row) * p.QC + column);
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
  let stats = (head.y * p.H + head.x) * p.Nq;
  //!for i in 0..4
  let lse$i = lse[stats + min(row0 + ty + $i * 8, p.Nq - 1u)];
  let delta$i = delta[stats + min(row0 + ty + $i * 8, p.Nq - 1u)];
  //!end
  var sums = Sums();
  for (var col0 = 0u; col0 < p.Nk; col0 += 32u) {
    let s = products(0u, row0, col0, lane);
    let e = products(1u, row0, col0, lane);
    let inside = vec4u(col0 + tx) + vec4u(0u, 8u, 16u, 24u) < vec4u(p.Nk);
    //!for i in 0..4
    let ds$i = likely4(s[$i] * p.scale - lse$i) * (e[$i] - delta$i);
    weights[ty * 9 + (tx + $i * 72)] = select(vec4f(), ds$i, inside);
    //!end
    sums = addWeighted(sums, 0u, col0, lane);
  }
  //!for i in 0..4
  {
    let row = row0 + ty + $i * 8;
    let to = (head.y * p.Nq + row) * p.QC + head.x * (E4 * 4u);
    let mark = markOf(lse$i) | markOf(delta$i);
    //!for g in 0..EG
    if (row < p.Nq && tx + $g * 8 < E4) {
      //!if part
      part_store4(to + (tx + $g * 8) * 4, marked4(sums.g$g[$i] * p.scale, mark));
      //!else
      dq_store4(to + (tx + $g * 8) * 4, marked4(sums.g$g[$i] * p.scale, mark));
      //!end
    }
    //!end
  }
  //!end
}
