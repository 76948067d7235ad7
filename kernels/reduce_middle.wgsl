//! reduce_middle: sum, maximum or count over blocks of 64 of the middle dimension, four columns an invocation
//! y[s,a,c] = scale * sum_r x[a,r,c] * w[a,r,c], max_r x[a,r,c], or how many x[a,r,c] equal top[a,c], r in block s
//!
//! in     x      [A, R, C]   W/4
//! in?    w      [A, R, C]   W/4
//! in?    top    [A, C]      W/4    for count
//! out    y      [S, A, C]   T/4
//! param  scale  f32
//! option f                  sum | max | count
//! tune   WG = 64            8 | 32 | 64
//! limit  S*64 >= R
//! lib    fold
//! grid   ceil(A*ceil(C/4)/WG), S
//! flops  A*R*C
//! ref    tests/ref/reduce.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = wg.x * WG + lane;
  let quads = (p.C + 3u) / 4u;
  let a = id / quads;
  let c = (id - a * quads) * 4u;
  if (a >= p.A) { return; }
  let start = (a * p.R + wg.y * 64u) * p.C + c;
  let end = (a * p.R + min(p.R, wg.y * 64u + 64u)) * p.C;
  var t: vec4f = vec4f(0.0);
  var v: vec4f = vec4f(0.0);
  //!if f=max
  v = x_load4(start);
  //!end
  //!if f=count
  t = top_load4(a * p.C + c);
  //!end
  // Columns past the last are never stored, so nothing needs a mask.
  for (var i = start; i < end; i += p.C) { v = combine4(v, element4(i, i + 4u, v, t)); }
  //!if !f=max
  v *= p.scale;
  //!end
  let o = (wg.y * p.A + a) * p.C + c;
  //!if vec=4
  y_store4(o, v);
  //!else
  //!for q in 0..4
  if (c + $q < p.C) { y[o + $q] = narrow(v[$q]); }
  //!end
  //!end
}
