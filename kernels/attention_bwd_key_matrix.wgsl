//! attention_bwd_key_matrix: attention_bwd_key by matrix units: operands, p and ds in f16, sums in f32, a subgroup SM keys
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
//! tune   SM = 16   8 | 16            rows of a matrix unit
//! tune   SN = 16   8 | 16            its columns
//! tune   SK = 16   8 | 16            its steps
//! tune   SG = 32   8 | 16 | 32 | 64  invocations of a subgroup: SM, twice or four times that
//! tune   W = 2     2 | 4             subgroups
//! tune   E4 = 16   4 | 6 | 8 | 10 | 12 | 14 | 16 | 18 | 20 | 24 | 28 | 32   quarter of the head width E
//! tune   BK = 16   16                queries at a time
//! tune   EK = 4    1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 12 | 14 | 16   units along E as steps: E/SK
//! tune   EN = 4    1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 12 | 14 | 16   units along E as columns: E/SN
//! tune   PAD = 8   0 | 8             halves that follow a row of a tile, so that rows lie in different banks
//! grid   ceil(Nk/(W*SM)), H, B
//! flops  8*B*Nq*Nk*D
//! touch  q Bq*Nq*D
//! touch  kv 2*B*Nk*D
//! touch  dkv 2*B*Nk*D
//! lib    attention_units matrix_units scores marks logits
//! ref    tests/ref/attention.ts

// Queries and gradients; scores, and what gradients make of values; p and ds.
const TILES: u32 = 2u;
const SCORES: u32 = 2u;
const WEIGHTS: u32 = 2u;
// p is at most e and is raised by this, exactly, so that what is less than 2^-14 is no subnormal half.
const RAISED: f32 = 0x1p+14f;
// Marks of dv and of dk, by the columns of a tile that an invocation looks at.
var<workgroup> marks: array<vec2u, 4>;
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
  let stats = (head.y * p.H + head.x) * p.Nq;
  var mark = vec2u();
  stageRows(0u, row0, lane);
  workgroupBarrier();
  //!for c in 0..EK
  let k$c = rowsAt(unit * (SM * LD) + $c * SK);
  //!end
  workgroupBarrier();
  stageRows(1u, row0, lane);
  workgroupBarrier();
  //!for c in 0..EK
  let v$c = rowsAt(unit * (SM * LD) + $c * SK);
  //!end
  //!for n in 0..EN
  var dk$n: Sums = Sums();
  var dv$n: Sums = Sums();
  //!end

  for (var col0 = 0u; col0 < p.Nq; col0 += BK) {
    workgroupBarrier();
    stageColumns(0u, 0u, col0, p.Nq, lane);
    stageColumns(1u, 1u, col0, p.Nq, lane);
    workgroupBarrier();
    for (var n = 0u; n < BK; n += SN) {
      var s: Sums = Sums();
      var e: Sums = Sums();
      //!for c in 0..EK
      s = multiplyAdd(k$c, keysAt(n * LD + $c * SK), s);
      e = multiplyAdd(v$c, keysAt(TILE + n * LD + $c * SK), e);
      //!end
      storeRows(own + n, s);
      storeRows(BLOCK + own + n, e);
    }
    workgroupBarrier();
    for (var n = 0u; n < BK / (4u * ACROSS); n++) {
      let columns = columnsOf(lane, n);
      let inside = vec4u(col0) + columns < vec4u(p.Nq);
      let stat = stats + min(vec4u(col0) + columns, vec4u(p.Nq - 1u));
      let l = vec4f(lse[stat.x], lse[stat.y], lse[stat.z], lse[stat.w]);
      let d = vec4f(delta[stat.x], delta[stat.y], delta[stat.z], delta[stat.w]);
      //!for u in 0..4
      mark |= vec2u(markOf(l[$u]), markOf(l[$u]) | markOf(d[$u]));
      //!end
      let weight = select(vec4f(), likely4(productsAt(0u, lane, columns) * p.scale - l), inside);
      putWeights(0u, lane, columns, weight * RAISED);
      putWeights(1u, lane, columns, weight * (productsAt(1u, lane, columns) - d));
    }
    workgroupBarrier();
    for (var j = 0u; j < BK; j += SK) {
      let w = weightsAt(own + j);
      let ds = weightsAt(BLOCK + own + j);
      //!for n in 0..EN
      dv$n = multiplyAdd(w, valuesAt(TILE + j * LD + $n * SN), dv$n);
      dk$n = multiplyAdd(ds, valuesAt(j * LD + $n * SN), dk$n);
      //!end
    }
  }
  // The invocations of a row have seen all columns.
  if (lane < ACROSS) { marks[lane] = mark; }
  workgroupBarrier();
  for (var x = 0u; x < ACROSS; x++) { mark |= marks[x]; }

  let to = (head.y * p.Nk + row) * p.KC + p.first + head.x * (E4 * 4u);
  //!for n in 0..EN
  workgroupBarrier();
  storeRows(own, dk$n);
  storeRows(BLOCK + own, dv$n);
  workgroupBarrier();
  if (row < p.Nk) {
    for (var c = lane % ACROSS * 4u; c < SN; c += ACROSS * 4u) {
      dkv_store4(to + $n * SN + c, marked4(resultAt(0u, lane, c) * p.scale, mark.y));
      dkv_store4(to + p.D + $n * SN + c, marked4(resultAt(1u, lane, c) / RAISED, mark.x));
    }
  }
  //!end
}
