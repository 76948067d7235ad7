//! rank_count: counts the gallery rows that beat each query's partner, a workgroup a tile of queries and a slice of the gallery
//! above[s,m] = #{n in slice s: a[m,:] b[n,:] > own[m], at + n != partner[m]}; equal[s,m] the same with =
//! With score instead: score[m] = a[m,:] b[partner[m] - at,:] by the same sums. What it is worth beside a copy of the partner
//! does not depend on rounding, which two pipelines may do differently: copies, told by their keys, are equal
//!
//! in     a       [M, K]   f32/4   queries
//! in     b       [N, K]   W/4     a part of the gallery
//! in     partner [M]      u32     its row in the whole gallery
//! in?    own     [M]      f32     the partner's score
//! in     key     [N, 2]   u32     of the gallery's rows
//! in?    ownKey  [M, 2]   u32     of the partner
//! inout? partnerKey [M, 2] u32    filled with score
//! inout? score   [M]      f32     NaN where no part has the row
//! out?   above   [S, M]   f32     exact: a slice has fewer than 2^24 rows
//! out?   equal   [S, M]   f32
//! param  at      u32              first row of the part
//! param  step    u32              rows of a slice, whole tiles
//! tune   TX = 8   8 | 16          invocations along N
//! tune   TY = 8   8 | 16          invocations along M
//! tune   MG = 2   1 | 2           groups of four rows an invocation
//! tune   NG = 2   1 | 2           groups of four columns an invocation; the tile is square
//! tune   LOADS = 2  1 | 2         4x4 blocks an invocation fetches: 4 (MG TY + NG TX) / (TX TY)
//! tune   K8 = 2  2                eights of steps of the reduction at a time
//! limit  step < 16777216
//! lib    matmul_a_rows matmul_b_rows rank_rows rank_compare
//! grid   ceil(M/(TY*MG*4)), max(1, S)
//! flops  2*M*N*K
//! ref    tests/ref/rank.ts
// The loop over the reduction is that of lib/matmul_tiled, once a tile of gallery rows; neighbouring workgroups share the slice.
const ROWS: u32 = TY * MG;
const COLS: u32 = TX * NG;
var<workgroup> tileA: array<vec4f, ROWS * 16u>;
var<workgroup> tileB: array<vec4f, COLS * 16u>;

@compute @workgroup_size(TX * TY)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tx = lane % TX;
  let ty = lane / TX;
  let m0 = wg.x * (ROWS * 4u);
  let end = (p.K + 15u) / 16u * 16u;
  //!for l in 0..LOADS
  let id$l = lane + $l * TX * TY;
  let first$l = id$l < ROWS * 4u;
  let block$l = select(blockB(id$l - ROWS * 4u), blockA(id$l), first$l);
  let rows$l = baseA(0u, m0 + block$l.x * 4u);
  let slot$l = block$l.y * 4u * select(COLS, ROWS, first$l) + (block$l.x ^ ((block$l.y & 1u) << 2u));
  //!end
  //!for i in 0..MG
  var above$i = vec4f();
  var equal$i = vec4f();
  //!end
  let tiles = slice(wg.y);
  for (var n0 = tiles.x; n0 < tiles.y; n0 += COLS * 4u) {
    //!for l in 0..LOADS
    let base$l = select(columns(m0, n0, block$l.x * 4u), rows$l, first$l);
    var f$l: mat4x4f = mat4x4f();
    //!end
    //!for i in 0..MG
    //!for r in 0..4
    //!for g in 0..NG
    var c$i_$r_$g: vec4f = vec4f();
    //!end
    //!end
    //!end
    for (var k0 = 0u; k0 < end + 16u; k0 += 16u) {
      if (k0 > 0u) {
        workgroupBarrier();
        //!for l in 0..LOADS
        if (first$l) {
          //!for u in 0..4
          tileA[slot$l + $u * ROWS] = f$l[$u];
          //!end
        } else {
          //!for u in 0..4
          tileB[slot$l + $u * COLS] = f$l[$u];
          //!end
        }
        //!end
        workgroupBarrier();
      }
      //!for l in 0..LOADS
      {
        let k = k0 + block$l.y * 4u;
        f$l = mat4x4f();
        if (k < p.K) {
          if (first$l) { f$l = fragA(base$l, k, p.K); } else { f$l = fragB(base$l, k, p.K); }
        }
      }
      //!end
      if (k0 > 0u) {
        //!for a in 0..2
        //!for b in 0..2
        //!for u in 0..4
        {
          let step = $a * 8u + $b * 4u + $u;
          //!for g in 0..NG
          let w$g = tileB[step * COLS + (tx ^ ($b * 4u)) + $g * TX];
          //!end
          //!for i in 0..MG
          let x$i = tileA[step * ROWS + (ty ^ ($b * 4u)) + $i * TY];
          //!for r in 0..4
          //!for g in 0..NG
          c$i_$r_$g = fma(vec4f(x$i[$r]), w$g, c$i_$r_$g);
          //!end
          //!end
          //!end
        }
        //!end
        //!end
        //!end
      }
    }
    //!if above
    //!for g in 0..NG
    let ka$g = keysOf(n0 + (tx + $g * TX) * 4u, 0u);
    let kb$g = keysOf(n0 + (tx + $g * TX) * 4u, 1u);
    //!end
    //!end
    //!for i in 0..MG
    //!for g in 0..NG
    {
      let m = m0 + (ty + $i * TY) * 4u;
      //!if score
      if (ty + $i * TY == tx + $g * TX) {
        keepScore(m, vec4f(c$i_0_$g.x, c$i_1_$g.y, c$i_2_$g.z, c$i_3_$g.w));
      }
      //!else
      let n = n0 + (tx + $g * TX) * 4u;
      //!for r in 0..4
      { let found = counts(c$i_$r_$g, queryOf(m + $r), n, ka$g, kb$g); above$i[$r] += found.x; equal$i[$r] += found.y; }
      //!end
      //!end
    }
    //!end
    //!end
  }
  //!if above
  workgroupBarrier();
  //!for i in 0..MG
  tileA[(ty + $i * TY) * TX + tx] = above$i;
  tileB[(ty + $i * TY) * TX + tx] = equal$i;
  //!end
  workgroupBarrier();
  if (lane < ROWS) {
    var sums = mat2x4f();
    for (var i = lane * TX; i < (lane + 1u) * TX; i++) { sums += mat2x4f(tileA[i], tileB[i]); }
    putCounts(sums[0], sums[1], wg.y, m0 + lane * 4u);
  }
  //!end
}
