//! activation_fwd: elementwise function of one tensor, four elements an invocation
//! y[i] = f(x[i]); leaky_relu has slope a below 0, clamp keeps a .. b
//!
//! in     x  [n]    T/4
//! out    y  [n]    T/4
//! param  a  f32
//! param  b  f32
//! option f         gelu | silu | relu | leaky_relu | tanh | sigmoid | softplus | exp | log | sqrt | square | abs | clamp
//! tune   WG = 64   8 | 64 | 256
//! lib    activation marks logarithm root
//! grid   fold ceil(n/(WG*4))
//! flops  20*n
//! ref    tests/ref/activation.ts

fn softplus4(x: vec4f) -> vec4f {
  let e = decay4(-abs(x));
  return 0.5 * (x + abs(x)) + logRatio4(e / (2.0 + e));
}

fn value4(v: vec4f) -> vec4f {
  //!if f=gelu
  return gelu4(v);
  //!end
  //!if f=silu
  return silu4(v);
  //!end
  //!if f=relu
  // Below 0 by bits; NaN of either sign stays.
  return select(v, vec4f(0.0), bitcast<vec4u>(v) - vec4u(0x80000000u) <= vec4u(0x7f800000u));
  //!end
  //!if f=leaky_relu
  return select(v, p.a * v, v < vec4f(0.0));
  //!end
  //!if f=tanh
  return keepNaN4(tanh4(v), v);
  //!end
  //!if f=sigmoid
  return keepNaN4(sigmoid4(v), v);
  //!end
  //!if f=softplus
  return softplus4(v);
  //!end
  //!if f=exp
  // Beyond f32 by bits.
  let e = bitcast<vec4u>(select(exp(v), vec4f(), v < vec4f(-104.0)));
  return keepNaN4(bitcast<vec4f>(select(e, vec4u(0x7f800000u), v > vec4f(88.72283))), v);
  //!end
  //!if f=log
  // By bits: minus infinity of 0, NaN of what is negative; infinity and NaN stay.
  let bits = bitcast<vec4u>(v);
  let r = select(bitcast<vec4u>(log4(v)), bits, bits >= vec4u(0x7f800000u));
  return bitcast<vec4f>(select(r | select(vec4u(), vec4u(0x7fc00000u), bits > vec4u(0x80000000u)), vec4u(0xff800000u), (bits << vec4u(1u)) == vec4u(0u)));
  //!end
  //!if f=sqrt
  // By bits: 0 of 0, NaN of what is negative; infinity and NaN stay.
  let bits = bitcast<vec4u>(v);
  let r = select(bitcast<vec4u>(root4(v)), bits, bits >= vec4u(0x7f800000u));
  return bitcast<vec4f>(r | select(vec4u(), vec4u(0x7fc00000u), bits > vec4u(0x80000000u)));
  //!end
  //!if f=square
  return v * v;
  //!end
  //!if f=abs
  return abs(v);
  //!end
  //!if f=clamp
  // NaN by its bits: a compiler may turn comparisons round.
  let number = (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) <= vec4u(0x7f800000u);
  return select(v, select(select(v, vec4f(p.b), v > vec4f(p.b)), vec4f(p.a), v < vec4f(p.a)), number);
  //!end
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (folded(wg, nwg) * WG + lane) * 4u;
  if (i >= p.n) { return; }
  let v = value4(x_load4(i));
  //!if vec=4
  y_store4(i, v);
  //!else
  //!for q in 0..4
  if (i + $q < p.n) { y[i + $q] = narrow(v[$q]); }
  //!end
  //!end
}
