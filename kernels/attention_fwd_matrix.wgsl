//! attention_fwd_matrix: attention_fwd by matrix units: operands and weights in f16, sums in f32, a subgroup SM queries
//! o[b,i,h,:] = sum_j p[i,j] v[b,j,h,:], p = softmax_j(scale * sum_c q[b,i,h,c] k[b,j,h,c]), lse = log sum_j exp(…)
//!
//! in     q      [Bq, Nq, QC]  T/4   Bq = B, or 1: shared by the batch; q of head h at h*E
//! in     kv     [B, Nk, KC]   T/4   k of head h at first + h*E, v at first + D + h*E
//! out    o      [B, Nq, D]    T/4   head h at h*E
//! out?   lse    [B, H, Nq]    f32   kept for attention_bwd_*
//! param  first  u32
//! param  scale  f32
//! tune   SM = 16   8 | 16            rows of a matrix unit
//! tune   SN = 16   8 | 16            its columns
//! tune   SK = 16   8 | 16            its steps
//! tune   SG = 32   8 | 16 | 32 | 64  invocations of a subgroup: SM, twice or four times that
//! tune   W = 2     2 | 4             subgroups
//! tune   E4 = 16   4 | 6 | 8 | 10 | 12 | 14 | 16 | 18 | 20 | 24 | 28 | 32   quarter of the head width E
//! tune   BK = 32   32                keys at a time
//! tune   EK = 4    1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 12 | 14 | 16   units along E as steps: E/SK
//! tune   EN = 4    1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 12 | 14 | 16   units along E as columns: E/SN
//! tune   PAD = 8   0 | 8             halves that follow a row of the tile, so that rows lie in different banks
//! grid   ceil(Nq/(W*SM)), D/(4*E4), B
//! flops  6*B*Nq*Nk*D
//! touch  q Bq*Nq*D
//! touch  kv 3*B*Nk*D
//! lib    attention_units matrix_units scores marks logits logarithm
//! ref    tests/ref/attention.ts
// What an invocation holds of sums is the device's own matter, so that they cannot be scaled row by row when a larger score
// comes: keys are looked at twice, first for the largest score of each row, then for the weights.

const TILES: u32 = 1u;
const SCORES: u32 = 1u;
const WEIGHTS: u32 = 1u;
// Weights that are halves are raised by this, exactly, so that what is less than 2^-14 of the largest is no subnormal one.
const RAISED: f32 = 0x1p+15f;
var<private> head: vec2u;

fn rowLoad(operand: u32, i: u32, c: u32) -> vec4f {
  return q_load4((min(head.y, p.Bq - 1u) * p.Nq + min(i, p.Nq - 1u)) * p.QC + (head.x * E4 + c) * 4u);
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
  // The row that this invocation weighs, with others.
  let row = lane / ACROSS;
  let part = lane % ACROSS;
  var most: f32 = LEAST;
  var total: f32 = 0.0;
  stageRows(0u, row0, lane);
  workgroupBarrier();
  //!for c in 0..EK
  let q$c = rowsAt(unit * (SM * LD) + $c * SK);
  //!end
  //!for n in 0..EN
  var o$n: Sums = Sums();
  //!end

  for (var turn = 0u; turn < 2u; turn++) {
    for (var col0 = 0u; col0 < p.Nk; col0 += BK) {
      workgroupBarrier();
      stageColumns(0u, 0u, col0, p.Nk, lane);
      workgroupBarrier();
      for (var n = 0u; n < BK; n += SN) {
        var s: Sums = Sums();
        //!for c in 0..EK
        s = multiplyAdd(q$c, keysAt(n * LD + $c * SK), s);
        //!end
        storeRows(own + n, s);
      }
      workgroupBarrier();
      for (var n = 0u; n < BK / (4u * ACROSS); n++) {
        let columns = columnsOf(lane, n);
        let inside = vec4u(col0) + columns < vec4u(p.Nk);
        let scores = select(vec4f(LEAST), score4(productsAt(0u, lane, columns) * p.scale), inside);
        if (turn == 0u) {
          most = max(most, max4(scores));
        } else {
          let w = select(vec4f(), power4(scores - most), inside);
          total += dot(w, vec4f(1.0));
          putWeights(0u, lane, columns, w * RAISED);
        }
      }
      if (turn == 1u) {
        stageColumns(1u, 0u, col0, p.Nk, lane);
        workgroupBarrier();
        for (var j = 0u; j < BK; j += SK) {
          let w = weightsAt(own + j);
          //!for n in 0..EN
          o$n = multiplyAdd(w, valuesAt(j * LD + $n * SN), o$n);
          //!end
        }
      }
    }
    // What the invocations of a row have found, in turn its largest score and its sum.
    workgroupBarrier();
    rows[row * BK + part] = select(total, most, turn == 0u);
    workgroupBarrier();
    total = 0.0;
    for (var x = 0u; x < ACROSS; x++) {
      let found = rows[row * BK + x];
      if (turn == 0u) { most = max(most, found); } else { total += found; }
    }
  }

  let mark = markOfTop(most);
  let to = (head.y * p.Nq + row0 + row) * p.D + head.x * (E4 * 4u);
  //!for n in 0..EN
  workgroupBarrier();
  storeRows(own, o$n);
  workgroupBarrier();
  if (row0 + row < p.Nq) {
    for (var c = part * 4u; c < SN; c += ACROSS * 4u) {
      o_store4(to + $n * SN + c, marked4(resultAt(0u, lane, c) / (total * RAISED), mark));
    }
  }
  //!end
  //!if lse
  if (part == 0u && row0 + row < p.Nq) {
    lse[(head.y * p.H + head.x) * p.Nq + row0 + row] = marked(most + log4(vec4f(total)).x, mark);
  }
  //!end
}
