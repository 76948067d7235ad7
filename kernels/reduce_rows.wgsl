//! reduce_rows: sum, maximum or count over blocks of 4096 elements of each row
//! y[m,s] = scale * sum_d x[m,d] * w[m,d], max_d x[m,d], or how many x[m,d] equal top[m], d in block s
//!
//! in     x      [M, D]   W/4
//! in?    w      [M, D]   W/4
//! in?    top    [M]      W      for count
//! out    y      [M, S]   T
//! param  scale  f32
//! option f               sum | max | count
//! tune   WG = 64         32 | 64 | 128 | 256
//! limit  S*4096 >= D
//! lib    reduce fold
//! grid   fold M*S               one workgroup a block
//! flops  M*D
//! ref    tests/ref/reduce.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = folded(wg, nwg);
  if (id >= p.M * p.S) { return; }
  let m = id / p.S;
  let start = m * p.D + (id - m * p.S) * 4096u;
  let end = min(start + 4096u, (m + 1u) * p.D);
  var t: f32 = 0.0;
  var none: f32 = 0.0;
  //!if f=max
  none = x_load(start);
  //!end
  //!if f=count
  t = top_load(m);
  //!end
  var v: vec4f = vec4f(none);
  for (var i = start + lane * 4u; i < end; i += WG * 4u) { v = combine4(v, element4(i, end, vec4f(none), vec4f(t))); }
  //!if f=max
  let total = reduceMax(max(max(v.x, v.y), max(v.z, v.w)), lane);
  //!else
  let total = p.scale * reduceSum((v.x + v.y) + (v.z + v.w), lane);
  //!end
  if (lane == 0u) { y[id] = narrow(total); }
}
