// Matmul without workgroup memory. An invocation keeps MG*4 x NG*GV*4 sums in registers and streams both operands, four
// steps of the reduction at a time. On llvmpipe a load costs far more than an FMA and spilled sums stay in L1, hence the
// large tile. LN and LM lay the invocations out along N and M. Workgroups run along M first: the panel of the second operand
// stays in the cache of a core.

@compute @workgroup_size(LN * LM)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slice = sliceOf(wg.z);
  let m0 = wg.x * (LM * MG * 4u) + lane / LN * (MG * 4u);
  let n0 = wg.y * (LN * NG * 4u) + lane % LN * 4u;
  //!for i in 0..MG
  let a$i = baseA(slice.x, m0 + $i * 4u);
  //!end
  //!for g in 0..NG
  //!for v in 0..GV
  let n$g_$v = columnOf(n0 + $g * LN * 4u, $v);
  let b$g_$v = baseB(slice.x, n$g_$v);
  //!for i in 0..MG
  //!for r in 0..4
  var c$i_$r_$g_$v: vec4f = vec4f();
  //!end
  //!end
  //!end
  //!end
  //!if h
  // Only the first slice adds the LoRA term.
  for (var j = select(p.R, 0u, slice.y == 0u); j < p.R; j++) {
    //!for g in 0..NG
    //!for v in 0..GV
    let e$g_$v = extE(n$g_$v, j);
    //!end
    //!end
    //!for i in 0..MG
    let h$i = extH(m0 + $i * 4u, j);
    //!for r in 0..4
    //!for g in 0..NG
    //!for v in 0..GV
    c$i_$r_$g_$v = fma(vec4f(h$i[$r]), e$g_$v, c$i_$r_$g_$v);
    //!end
    //!end
    //!end
    //!end
  }
  //!end
  for (var k = slice.y; k < slice.z; k += 4u) {
    //!for g in 0..NG
    //!for v in 0..GV
    let w$g_$v = fragB(b$g_$v, k, slice.z);
    //!end
    //!end
    //!for i in 0..MG
    let x$i = fragA(a$i, k, slice.z);
    //!for r in 0..4
    //!for g in 0..NG
    //!for v in 0..GV
    //!for u in 0..4
    c$i_$r_$g_$v = fma(vec4f(x$i[$u][$r]), w$g_$v[$u], c$i_$r_$g_$v);
    //!end
    //!end
    //!end
    //!end
    //!end
  }
  // What becomes of the sums is written for one row, and the rows move on to it, the last one first: written for each row it
  // takes four times as long to compile as the sums themselves.
  for (var r = MG * 4u; r > 0u; r--) {
    let m = m0 + r - 1u;
    //!for g in 0..NG
    //!for v in 0..GV
    var out$g_$v: vec4f = vec4f();
    //!for i in 0..MG
    let last$i_$g_$v = c$i_3_$g_$v;
    c$i_3_$g_$v = c$i_2_$g_$v;
    c$i_2_$g_$v = c$i_1_$g_$v;
    c$i_1_$g_$v = c$i_0_$g_$v;
    c$i_0_$g_$v = out$g_$v;
    out$g_$v = last$i_$g_$v;
    //!end
    //!end
    //!end
    if (m < p.M) {
      //!for g in 0..NG
      //!if act=swiglu
      putPair(out$g_0, out$g_1, wg.z, m, n$g_0);
      //!else
      put(out$g_0, wg.z, m, n$g_0);
      //!end
      //!end
    }
  }
}
