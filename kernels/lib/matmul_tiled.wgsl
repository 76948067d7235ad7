// Matmul over tiles of TY*MG*4 rows and TX*NG*GV*4 columns, 16 steps of the reduction at a time in workgroup memory, laid
// out step by step so that an invocation reads groups of four rows or columns. The next tile is fetched into registers
// while the current one is used. Odd groups of four steps are stored with bit 2 of the place flipped: without it, loads
// that run along the reduction would store to few banks.

const ROWS: u32 = TY * MG;
const COLS: u32 = TX * NG * GV;
var<workgroup> tileA: array<vec4f, ROWS * 16u>;
var<workgroup> tileB: array<vec4f, COLS * 16u>;

//!if h
fn extA(m: u32, j: u32) -> mat4x4f { return mat4x4f(extH(m, j), extH(m, j + 1u), extH(m, j + 2u), extH(m, j + 3u)); }
fn extB(n: u32, j: u32) -> mat4x4f { return mat4x4f(extE(n, j), extE(n, j + 1u), extE(n, j + 2u), extE(n, j + 3u)); }
//!end

@compute @workgroup_size(TX * TY)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slice = sliceOf(wg.z);
  let to = slice.z;
  // The LoRA term is 16 more steps or so, after the main ones rounded up to whole tiles; only the first slice adds it.
  let ext = slice.y + (to - slice.y + 15u) / 16u * 16u;
  //!if h
  let end = select(ext, ext + p.R, slice.y == 0u);
  //!else
  let end = ext;
  //!end
  let tx = lane % TX;
  let ty = lane / TX;
  let m0 = wg.y * (ROWS * 4u);
  let n0 = wg.x * (TX * NG * 4u);

  //!for l in 0..LOADS
  // Fetch $l of this invocation: a block of the first operand, or past their number one of the second.
  let id$l = lane + $l * TX * TY;
  let first$l = id$l < ROWS * 4u;
  let block$l = select(blockB(id$l - ROWS * 4u), blockA(id$l), first$l);
  let q$l = block$l.x / TX;
  let place$l = select(columnOf(n0 + (q$l / GV * TX + block$l.x % TX) * 4u, q$l % GV), m0 + block$l.x * 4u, first$l);
  let base$l = select(baseB(slice.x, place$l), baseA(slice.x, place$l), first$l);
  let slot$l = block$l.y * 4u * select(COLS, ROWS, first$l) + (block$l.x ^ ((block$l.y & 1u) << 2u));
  var f$l: mat4x4f = mat4x4f();
  //!end
  //!for i in 0..MG
  //!for r in 0..4
  //!for g in 0..NG
  //!for v in 0..GV
  var c$i_$r_$g_$v: vec4f = vec4f();
  //!end
  //!end
  //!end
  //!end

  for (var k0 = slice.y; k0 < end + 16u; k0 += 16u) {
    if (k0 > slice.y) {
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
    if (k0 < end) {
      //!for l in 0..LOADS
      {
        let k = k0 + block$l.y * 4u;
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
      //!for a in 0..2
      //!for b in 0..2
      //!for u in 0..4
      {
        let step = $a * 8u + $b * 4u + $u;
        //!for g in 0..NG
        //!for v in 0..GV
        let w$g_$v = tileB[step * COLS + (tx ^ ($b * 4u)) + ($g * GV + $v) * TX];
        //!end
        //!end
        //!for i in 0..MG
        let x$i = tileA[step * ROWS + (ty ^ ($b * 4u)) + $i * TY];
        //!for r in 0..4
        //!for g in 0..NG
        //!for v in 0..GV
        c$i_$r_$g_$v = fma(vec4f(x$i[$r]), w$g_$v, c$i_$r_$g_$v);
        //!end
        //!end
        //!end
        //!end
      }
      //!end
      //!end
      //!end
    }
  }

  //!for i in 0..MG
  //!for r in 0..4
  {
    let m = m0 + (ty + $i * TY) * 4u + $r;
    if (m < p.M) {
      //!for g in 0..NG
      //!if act=swiglu
      putPair(c$i_$r_$g_0, c$i_$r_$g_1, wg.z, m, n0 + (tx + $g * TX) * 4u);
      //!else
      put(c$i_$r_$g_0, wg.z, m, n0 + (tx + $g * TX) * 4u);
      //!end
      //!end
    }
  }
  //!end
  //!end
}
