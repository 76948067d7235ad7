// From the sums of row m, columns n to n+3, to the stored result.

//!if pre
fn storePre(v: vec4f, m: u32, n: u32, end: u32) {
  let i = m * p.N + n;
  //!if vec=4
  pre_store4(i, v);
  //!else
  //!for q in 0..4
  if (n + $q < end) { pre[i + $q] = narrow(v[$q]); }
  //!end
  //!end
}
//!end

//!if y
// `end` is the extent of the last dimension of y.
fn storeY(value: vec4f, z: u32, m: u32, n: u32, end: u32) {
  let i = (z * p.M + m) * end + n;
  var v = value;
  //!if gamma
  v *= gamma_load4(n);
  //!end
  //!if residual
  v += residual_load4(i);
  //!end
  //!if vec=4
  y_store4(i, v);
  //!else
  //!for q in 0..4
  if (n + $q < end) { y[i + $q] = narrow(v[$q]); }
  //!end
  //!end
}

fn finish(sum: vec4f, z: u32, m: u32, n: u32) {
  var v = sum;
  //!if bias
  v += bias_load4(n);
  //!end
  //!if pre
  storePre(v, m, n, p.N);
  //!end
  //!if act=gelu
  v = gelu4(v);
  //!end
  //!if act=silu
  v = silu4(v);
  //!end
  storeY(v, z, m, n, p.N);
}

//!if act=swiglu
fn finishPair(gateSum: vec4f, valueSum: vec4f, z: u32, m: u32, f: u32) {
  var gate = gateSum;
  var value = valueSum;
  //!if bias
  gate += bias_load4(f);
  value += bias_load4(p.F + f);
  //!end
  //!if pre
  storePre(gate, m, f, p.F);
  storePre(value, m, p.F + f, p.N);
  //!end
  storeY(silu4(gate) * value, z, m, f, p.F);
}
//!end
//!end
