//! activation_fwd: elementwise function of one tensor, four elements an invocation
//! y[i] = f(x[i]); leaky_relu has slope a below 0, clamp keeps a .. b
//!
//! in     x  [n]    T/4
//! out    y  [n]    T/4
//! param  a  f32
//! param  b  f32
//! option f         gelu | silu | relu | leaky_relu | tanh | sigmoid | softplus | exp | log | sqrt | square | abs | clamp
//! tune   WG = 64   8 | 64 | 256
//! lib    activation activation_log
//! grid   fold ceil(n/(WG*4))
//! ref    tests/ref/activation.ts

fn value4(v: vec4f) -> vec4f {
  //!if f=gelu
  return gelu4(v);
  //!end
  //!if f=silu
  return silu4(v);
  //!end
  //!if f=relu
  return select(v, vec4f(0.0), v < vec4f(0.0));
  //!end
  //!if f=leaky_relu
  return select(v, p.a * v, v < vec4f(0.0));
  //!end
  //!if f=tanh
  return tanh4(v);
  //!end
  //!if f=sigmoid
  return sigmoid4(v);
  //!end
  //!if f=softplus
  return softplus4(v);
  //!end
  //!if f=exp
  return exp(v);
  //!end
  //!if f=log
  return log4(v);
  //!end
  //!if f=sqrt
  return sqrt(v);
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
