// Matmul by matrix units over tiles of WM*RM*SM rows and WN*RN*GV*SN columns, 16 steps of the reduction at a time in workgroup
// memory as f16. A workgroup is WM*WN subgroups of SG invocations; each multiplies RM by RN*GV pieces of SM by SN sums. Sums leave
// by way of workgroup memory, a piece at a time, since what an invocation holds of a piece is the device's own matter. The next
// tile is fetched into registers while the current one is used.

const BM: u32 = WM * RM * SM;
// Columns of one half; the other half of a swiglu weight lies behind them.
const BH: u32 = WN * RN * SN;
const LDA: u32 = BM + PAD;
const LDB: u32 = BH * GV + PAD;
const PIECE: u32 = SM * SN;
var<workgroup> tileA: array<f16, LDA * 16u>;
var<workgroup> tileB: array<f16, LDB * 16u>;
var<workgroup> area: array<f32, WM * WN * GV * PIECE>;

//!if h
fn extA(m: u32, j: u32) -> mat4x4f { return mat4x4f(extH(m, j), extH(m, j + 1u), extH(m, j + 2u), extH(m, j + 3u)); }
fn extB(n: u32, j: u32) -> mat4x4f { return mat4x4f(extE(n, j), extE(n, j + 1u), extE(n, j + 2u), extE(n, j + 3u)); }
//!end

fn sumsAt(i: u32) -> vec4f { return vec4f(area[i], area[i + 1u], area[i + 2u], area[i + 3u]); }

@compute @workgroup_size(WM * WN * SG)
fn main(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) unit: u32,
  @builtin(subgroup_invocation_id) member: u32,
) {
  let slice = sliceOf(wg.z);
  let to = slice.z;
  // The LoRA term is 16 more steps or so, after the main ones rounded up to whole tiles; only the first slice adds it.
  let ext = slice.y + (to - slice.y + 15u) / 16u * 16u;
  //!if h
  let end = select(ext, ext + p.R, slice.y == 0u);
  //!else
  let end = ext;
  //!end
  let m0 = wg.y * BM;
  let n0 = wg.x * BH;
  let wm = unit / WN;
  let wn = unit % WN;

  //!for l in 0..LOADS
  // Fetch $l of this invocation: a block of the first operand, or past their number one of the second.
  let id$l = lane + $l * (WM * WN * SG);
  let first$l = id$l < BM;
  let block$l = select(blockB(id$l - BM), blockA(id$l), first$l) * 4u;
  let place$l = select(columnOf(n0 + block$l.x % BH, block$l.x / BH), m0 + block$l.x, first$l);
  let base$l = select(baseB(slice.x, place$l), baseA(slice.x, place$l), first$l);
  var f$l: mat4x4f = mat4x4f();
  //!end
  //!for i in 0..RM
  //!for r in 0..RN
  //!for v in 0..GV
  var c$i_$r_$v: Sums = Sums();
  //!end
  //!end
  //!end

  for (var k0 = slice.y; k0 < end + 16u; k0 += 16u) {
    if (k0 > slice.y) {
      workgroupBarrier();
      //!for l in 0..LOADS
      if (first$l) {
        //!for u in 0..4
        {
          let to$l = (block$l.y + $u) * LDA + block$l.x;
          let w = narrow4(f$l[$u]);
          //!for q in 0..4
          tileA[to$l + $q] = w[$q];
          //!end
        }
        //!end
      } else {
        //!for u in 0..4
        {
          let to$l = (block$l.y + $u) * LDB + block$l.x;
          let w = narrow4(f$l[$u]);
          //!for q in 0..4
          tileB[to$l + $q] = w[$q];
          //!end
        }
        //!end
      }
      //!end
      workgroupBarrier();
    }
    if (k0 < end) {
      //!for l in 0..LOADS
      {
        let k = k0 + block$l.y;
        f$l = mat4x4f();
        if (k < to) {
          if (first$l) { f$l = fragA(base$l, k, to); } else { f$l = fragB(base$l, k, to); }
        }
        //!if h
        if (k >= ext) {
          if (first$l) { f$l = extA(place$l, k - ext); } else { f$l = extB(place$l, k - ext); }
        }
        //!end
      }
      //!end
    }
    if (k0 > slice.y) {
      for (var step = 0u; step < 16u; step += SK) {
        //!for i in 0..RM
        let x$i = leftAt(step * LDA + (wm * RM + $i) * SM);
        //!end
        //!for r in 0..RN
        //!for v in 0..GV
        let w$r_$v = rightAt(step * LDB + $v * BH + (wn * RN + $r) * SN);
        //!for i in 0..RM
        c$i_$r_$v = multiplyAdd(x$i, w$r_$v, c$i_$r_$v);
        //!end
        //!end
        //!end
      }
    }
  }

  let own = unit * GV * PIECE;
  //!for i in 0..RM
  //!for r in 0..RN
  {
    workgroupBarrier();
    //!for v in 0..GV
    storeSums(own + $v * PIECE, c$i_$r_$v);
    //!end
    workgroupBarrier();
    for (var q = member * 4u; q < PIECE; q += SG * 4u) {
      let m = m0 + (wm * RM + $i) * SM + q / SN;
      let n = n0 + (wn * RN + $r) * SN + q % SN;
      if (m < p.M) {
        //!if act=swiglu
        putPair(sumsAt(own + q), sumsAt(own + PIECE + q), wg.z, m, n);
        //!else
        put(sumsAt(own + q), wg.z, m, n);
        //!end
      }
    }
  }
  //!end
  //!end
}
