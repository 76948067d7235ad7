//! attention_bwd_query_matrix: attention_bwd_query by matrix units: operands and ds in f16, sums in f32, a subgroup SM queries
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
//! tune   SM = 16   8 | 16            rows of a matrix unit
//! tune   SN = 16   8 | 16            its columns
//! tune   SK = 16   8 | 16            its steps
//! tune   SG = 32   8 | 16 | 32 | 64  invocations of a subgroup: SM, twice or four times that
//! tune   W = 2     2 | 4             subgroups
//! tune   E4 = 16   4 | 6 | 8 | 10 | 12 | 14 | 16 | 18 | 20 | 24 | 28 | 32   quarter of the head width E
//! tune   BK = 16   16                keys at a time
//! tune   EK = 4    1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 12 | 14 | 16   units along E as steps: E/SK
//! tune   EN = 4    1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 12 | 14 | 16   units along E as columns: E/SN
//! tune   PAD = 8   0 | 8             halves that follow a row of a tile, so that rows lie in different banks
//! grid   ceil(Nq/(W*SM)), H, B
//! flops  6*B*Nq*Nk*D
//! touch  q Bq*Nq*D
//! touch  kv 2*B*Nk*D
//! touch  dq B*Nq*D
//! touch  part B*Nq*D
//! lib    attention_units matrix_units scores marks logits
//! ref    tests/ref/attention.ts

// Keys and values; scores, and what values make of gradients; ds.
const TILES: u32 = 2u;
const SCORES: u32 = 2u;
const WEIGHTS: u32 = 1u;
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

@compute @workgroup_size(W * SG)
fn main(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) unit: u32,
) {
  head = wg.yz;
  let row0 = wg.x * ROWS;
  let own = unit * (SM * BK);
  let row = row0 + lane / ACROSS;
  let stat = (head.y * p.H + head.x) * p.Nq + min(row, p.Nq - 1u);
  let l = lse[stat];
  let d = delta[stat];
  stageRows(0u, row0, lane);
  workgroupBarrier();
  //!for c in 0..EK
  let q$c = rowsAt(unit * (SM * LD) + $c * SK);
  //!end
  workgroupBarrier();
  stageRows(1u, row0, lane);
  workgroupBarrier();
  //!for c in 0..EK
  let g$c = rowsAt(unit * (SM * LD) + $c * SK);
  //!end
  //!for n in 0..EN
  var dq$n: Sums = Sums();
  //!end

  for (var col0 = 0u; col0 < p.Nk; col0 += BK) {
    workgroupBarrier();
    stageColumns(0u, 0u, col0, p.Nk, lane);
    stageColumns(1u, 1u, col0, p.Nk, lane);
    workgroupBarrier();
    for (var n = 0u; n < BK; n += SN) {
      var s: Sums = Sums();
      var e: Sums = Sums();
      //!for c in 0..EK
      s = multiplyAdd(q$c, keysAt(n * LD + $c * SK), s);
      e = multiplyAdd(g$c, keysAt(TILE + n * LD + $c * SK), e);
      //!end
      storeRows(own + n, s);
      storeRows(BLOCK + own + n, e);
    }
    workgroupBarrier();
    for (var n = 0u; n < BK / (4u * ACROSS); n++) {
      let columns = columnsOf(lane, n);
      let inside = vec4u(col0) + columns < vec4u(p.Nk);
      let ds = likely4(productsAt(0u, lane, columns) * p.scale - l) * (productsAt(1u, lane, columns) - d);
      putWeights(0u, lane, columns, select(vec4f(), ds, inside));
    }
    workgroupBarrier();
    for (var j = 0u; j < BK; j += SK) {
      let w = weightsAt(own + j);
      //!for n in 0..EN
      dq$n = multiplyAdd(w, valuesAt(j * LD + $n * SN), dq$n);
      //!end
    }
  }

  let mark = markOf(l) | markOf(d);
  let to = (head.y * p.Nq + row) * p.QC + head.x * (E4 * 4u);
  //!for n in 0..EN
  workgroupBarrier();
  storeRows(own, dq$n);
  workgroupBarrier();
  if (row < p.Nq) {
    for (var c = lane % ACROSS * 4u; c < SN; c += ACROSS * 4u) {
      //!if part
      part_store4(to + $n * SN + c, marked4(resultAt(0u, lane, c) * p.scale, mark));
      //!else
      dq_store4(to + $n * SN + c, marked4(resultAt(0u, lane, c) * p.scale, mark));
      //!end
    }
  }
  //!end
}
