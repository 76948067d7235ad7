// Matmul over tiles of TY*MG*4 rows and TX*NG*GV*4 columns, STEPS of the reduction at a time in workgroup memory, laid out
// step by step so that an invocation reads groups of four rows or columns; AHEAD: the next tile is fetched into registers
// while the current one is used. Odd groups of four steps are stored with bit 2 of the place flipped: without it, loads
// that run along the reduction would store to few banks.

@compute @workgroup_size(TX * TY)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slice = sliceOf(wg.z);
  let to = slice.z;
  // The LoRA term is 16 more steps or so, after the main ones rounded up to whole tiles; only the first slice adds it.
  let ext = slice.y + (to - slice.y + STEPS - 1u) / STEPS * STEPS;
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
  let first$l = id$l < ROWS * (2u * K8);
  let block$l = select(blockB(id$l - ROWS * (2u * K8)), blockA(id$l), first$l);
  let q$l = block$l.x / TX;
  let place$l = select(columnOf(n0 + (q$l / GV * TX + block$l.x % TX) * 4u, q$l % GV), m0 + block$l.x * 4u, first$l);
  let base$l = select(baseB(slice.x, place$l), baseA(slice.x, place$l), first$l);
  //!if OWN=1
  let owner$l = block$l.x % select(TX, TY, first$l);
  let slot$l = block$l.y * 4u * select(NG * GV, MG, first$l) + block$l.x / select(TX, TY, first$l);
  //!else
  let slot$l = block$l.y * 4u * select(COLS, ROWS, first$l) + (block$l.x ^ ((block$l.y & 1u) << 2u));
  //!end
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

  //!if AHEAD=1
  for (var k0 = slice.y; k0 < end + STEPS; k0 += STEPS) {
    let ready = k0 > slice.y;
    //!else
  for (var k0 = slice.y; k0 < end; k0 += STEPS) {
    let ready = true;
    //!for l in 0..LOADS
    f$l = fetch(first$l, base$l, place$l, k0 + block$l.y * 4u, to, ext);
    //!end
    //!end
    if (ready) {
      workgroupBarrier();
      //!for l in 0..LOADS
      if (first$l) {
        //!for u in 0..4
        //!if OWN=1
        tileA[owner$l][slot$l + $u * MG] = f$l[$u];
        //!else
        tileA[slot$l + $u * ROWS] = f$l[$u];
        //!end
        //!end
      } else {
        //!for u in 0..4
        //!if OWN=1
        tileB[owner$l][slot$l + $u * NG * GV] = f$l[$u];
        //!else
        tileB[slot$l + $u * COLS] = f$l[$u];
        //!end
        //!end
      }
      //!end
      workgroupBarrier();
    }
    //!if AHEAD=1
    if (k0 < end) {
      //!for l in 0..LOADS
      f$l = fetch(first$l, base$l, place$l, k0 + block$l.y * 4u, to, ext);
      //!end
    }
    //!end
    if (ready) {
      //!for a in 0..K8
      //!for b in 0..2
      //!for u in 0..4
      {
        let step = $a * 8u + $b * 4u + $u;
        //!for g in 0..NG
        //!for v in 0..GV
        //!if OWN=1
        let w$g_$v = tileB[tx][(($a * 8 + $b * 4 + $u) * NG + $g) * GV + $v];
        //!else
        let w$g_$v = tileB[step * COLS + (tx ^ ($b * 4u)) + ($g * GV + $v) * TX];
        //!end
        //!end
        //!end
        //!for i in 0..MG
        //!if OWN=1
        let x$i = tileA[ty][($a * 8 + $b * 4 + $u) * MG + $i];
        //!else
        let x$i = tileA[step * ROWS + (ty ^ ($b * 4u)) + $i * TY];
        //!end
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
