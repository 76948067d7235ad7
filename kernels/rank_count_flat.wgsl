//! rank_count_flat: rank_count without barriers, MG*4 queries by NG*4 gallery rows at a time an invocation
//! above[s,m] = #{n in slice s / LN, of lane s % LN: a[m,:] b[n,:] > own[m], at + n != partner[m]}; equal[s,m] the same with =
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
//! tune   MG = 4   1 | 2 | 4       groups of four rows an invocation
//! tune   NG = 4   1 | 2 | 4       groups of four columns an invocation, as many
//! tune   LN = 8   8               invocations, along N
//! limit  step < 16777216
//! lib    matmul_a_rows matmul_b_rows rank_rows rank_compare
//! grid   ceil(M/(MG*4)), ceil(max(1, S)/LN)
//! flops  2*M*N*K
//! ref    tests/ref/rank.ts
// As in lib/matmul_flat; workgroups run along the queries first, so that a slice of the gallery stays in the cache.

@compute @workgroup_size(LN)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m0 = wg.x * (MG * 4u);
  //!for i in 0..MG
  let a$i = baseA(0u, m0 + $i * 4u);
  var above$i = vec4f();
  var equal$i = vec4f();
  //!end
  //!if above
  //!for i in 0..MG
  //!for r in 0..4
  let q$i_$r = queryOf(m0 + $i * 4u + $r);
  //!end
  //!end
  //!end
  let tiles = slice(wg.y);
  for (var n0 = tiles.x; n0 < tiles.y; n0 += LN * NG * 4u) {
    //!for g in 0..NG
    //!if score
    let b$g = columns(m0, 0u, $g * 4u);
    //!else
    let col$g = n0 + lane * 4u + $g * LN * 4u;
    let b$g = columns(m0, col$g, 0u);
    //!end
    //!for i in 0..MG
    //!for r in 0..4
    var c$i_$r_$g: vec4f = vec4f();
    //!end
    //!end
    //!end
    for (var k = 0u; k < p.K; k += 4u) {
      //!for g in 0..NG
      let w$g = fragB(b$g, k, p.K);
      //!end
      //!for i in 0..MG
      let x$i = fragA(a$i, k, p.K);
      //!for r in 0..4
      //!for g in 0..NG
      //!for u in 0..4
      c$i_$r_$g = fma(vec4f(x$i[$u][$r]), w$g[$u], c$i_$r_$g);
      //!end
      //!end
      //!end
      //!end
    }
    //!if above
    //!for g in 0..NG
    let ka$g = keysOf(col$g, 0u);
    let kb$g = keysOf(col$g, 1u);
    //!end
    //!end
    //!for i in 0..MG
    //!if score
    if (lane == 0u) { keepScore(m0 + $i * 4u, vec4f(c$i_0_$i.x, c$i_1_$i.y, c$i_2_$i.z, c$i_3_$i.w)); }
    //!else
    //!for r in 0..4
    //!for g in 0..NG
    { let found = counts(c$i_$r_$g, q$i_$r, col$g, ka$g, kb$g); above$i[$r] += found.x; equal$i[$r] += found.y; }
    //!end
    //!end
    //!end
    //!end
  }
  //!if above
  //!for i in 0..MG
  putCounts(above$i, equal$i, wg.y * LN + lane, m0 + $i * 4u);
  //!end
  //!end
}
