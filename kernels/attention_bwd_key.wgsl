//! attention_bwd_key: gradients of attention with respect to k and v, a workgroup a tile of 32 keys
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
//! tune   EC4 = 8   4 | 5 | 6 | 7 | 8     quarters of channels staged at a time for products, a divisor of E4
//! tune   CU = 2    1 | 2                 of them in one go, a divisor of EC4
//! tune   EG = 2    1 | 2 | 3 | 4         ceil(E4/8)
//! tune   WX = 8    4 | 8                 vectors of weights used at a time, at most 16/EG
//! grid   ceil(Nk/32), H, B
//! flops  8*B*Nq*Nk*D
//! touch  q Bq*Nq*D
//! touch  kv 2*B*Nk*D
//! touch  dkv 2*B*Nk*D
//! lib    attention_products attention_sums scores marks logits
//! ref    tests/ref/attention.ts

// Marks of dv and of dk, by the columns of a tile that an invocation looks at.
var<workgroup> marks: array<vec2u, 8>;
var<private> head: vec2u;

fn rowLoad(operand: u32, j: u32, c: u32) -> vec4f {
  return kv_load4((head.y * p.Nk + min(j, p.Nk - 1u)) * p.KC + p.first + operand * p.D + (head.x * E4 + c) * 4u);
}

fn colLoad(operand: u32, i: u32, c: u32) -> vec4f {
  let row = min(i, p.Nq - 1u);
  let column = (head.x * E4 + c) * 4u;
  if (operand == 1u) { return dy_load4((head.y * p.Nq + row) * p.D + column); }
  return q_load4((min(head.y, p.Bq - 1u) * p.Nq + row) * p.QC + column);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  head = wg.yz;
  let row0 = wg.x * 32u;
  let ty = lane >> 3u;
  let tx = lane & 7u;
  var dk = Sums();
  var dv = Sums();
  var mark = vec2u();
  for (var col0 = 0u; col0 < p.Nq; col0 += 32u) {
    let s = products(0u, row0, col0, lane);
    let e = products(1u, row0, col0, lane);
    let i = vec4u(col0 + tx) + vec4u(0u, 8u, 16u, 24u);
    let stat = (head.y * p.H + head.x) * p.Nq + min(i, vec4u(p.Nq - 1u));
    let l = vec4f(lse[stat.x], lse[stat.y], lse[stat.z], lse[stat.w]);
    let d = vec4f(delta[stat.x], delta[stat.y], delta[stat.z], delta[stat.w]);
    //!for i in 0..4
    let p$i = select(vec4f(), likely4(s[$i] * p.scale - l), i < vec4u(p.Nq));
    mark |= vec2u(markOf(l[$i]), markOf(l[$i]) | markOf(d[$i]));
    weights[ty * 9 + (tx + $i * 72)] = p$i;
    //!end
    dv = addWeighted(dv, 1u, col0, lane);
    workgroupBarrier();
    //!for i in 0..4
    weights[ty * 9 + (tx + $i * 72)] = p$i * (e[$i] - d);
    //!end
    dk = addWeighted(dk, 0u, col0, lane);
  }
  if (lane < 8u) { marks[lane] = mark; }
  workgroupBarrier();
  //!for x in 0..8
  mark |= marks[$x];
  //!end
  //!for i in 0..4
  {
    let row = row0 + ty + $i * 8;
    let to = (head.y * p.Nk + row) * p.KC + p.first + head.x * (E4 * 4u);
    //!for g in 0..EG
    if (row < p.Nk && tx + $g * 8 < E4) {
      dkv_store4(to + (tx + $g * 8) * 4, marked4(dk.g$g[$i] * p.scale, mark.y));
      dkv_store4(to + p.D + (tx + $g * 8) * 4, marked4(dv.g$g[$i], mark.x));
    }
    //!end
  }
  //!end
}
