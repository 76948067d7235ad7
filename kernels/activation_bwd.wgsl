//! activation_bwd: gradient of an elementwise function from its input or its output, four elements an invocation
//! dx[i] = dy[i] * f'(s[i]), s = y for relu, leaky_relu, tanh, sigmoid, exp, sqrt; s = x for the others
//!
//! in     s   [n]   T/4
//! in     dy  [n]   T/4
//! out    dx  [n]   T/4
//! param  a   f32
//! param  b   f32
//! option f         gelu | silu | relu | leaky_relu | tanh | sigmoid | softplus | exp | log | sqrt | square | abs | clamp
//! tune   WG = 64   8 | 64 | 256
//! lib    activation quotient
//! grid   fold ceil(n/(WG*4))
//! flops  20*n
//! ref    tests/ref/activation.ts

fn gradient4(s: vec4f, d: vec4f) -> vec4f {
  let zero = vec4f(0.0);
  //!if f=gelu
  return d * geluSlope4(s);
  //!end
  //!if f=silu
  return d * siluSlope4(s);
  //!end
  //!if f=relu
  return select(zero, d, s > zero);
  //!end
  //!if f=leaky_relu
  return select(p.a * d, d, s > zero);
  //!end
  //!if f=tanh
  return d * (1.0 - s) * (1.0 + s);
  //!end
  //!if f=sigmoid
  return d * s * (1.0 - s);
  //!end
  //!if f=softplus
  return d * sigmoid4(s);
  //!end
  //!if f=exp
  return d * s;
  //!end
  //!if f=log
  return quotient4(d, s);
  //!end
  //!if f=sqrt
  return quotient4(0.5 * d, s);
  //!end
  //!if f=square
  return 2.0 * d * s;
  //!end
  //!if f=abs
  return d * sign(s);
  //!end
  //!if f=clamp
  return select(zero, d, (s >= vec4f(p.a)) & (s <= vec4f(p.b)));
  //!end
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (folded(wg, nwg) * WG + lane) * 4u;
  if (i >= p.n) { return; }
  let v = gradient4(s_load4(i), dy_load4(i));
  //!if vec=4
  dx_store4(i, v);
  //!else
  //!for q in 0..4
  if (i + $q < p.n) { dx[i + $q] = narrow(v[$q]); }
  //!end
  //!end
}
