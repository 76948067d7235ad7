//! reduce_bwd: gradient of a sum or maximum over the middle dimension of [A, R, C], four elements an invocation
//! dx[a,r,c] = scale * dy[a,c]; for a maximum dy[a,c] / count[a,c] where x[a,r,c] equals top[a,c], else 0
//!
//! in?    dy     [m]   W
//! in?    dy4    [m]   W/4     the same as dy, for sums with quad = next
//! in?    x      [n]   T/4
//! in?    top    [m]   W
//! in?    count  [m]   f32
//! out    dx     [n]   T/4
//! param  scale  f32
//! param  R      u32
//! param  C      u32
//! option over         first | last | middle    first: A = 1, last: C = 1
//! option quad         same | next | any        four elements of dx share one of dy, take four in turn, or neither
//! tune   WG = 64      8 | 64 | 256
//! lib    middle
//! grid   fold ceil(n/(WG*4))
//! flops  n
//! ref    tests/ref/reduce.ts

//!if dy
fn gradient(i: u32, k: u32) -> f32 {
  //!if x
  return select(0.0, dy_load(k) / max(count[k], 1.0), x_load(i) == top_load(k));
  //!else
  return p.scale * dy_load(k);
  //!end
}
//!end

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (folded(wg, nwg) * WG + lane) * 4u;
  if (i >= p.n) { return; }
  //!if dy4
  let v = p.scale * dy4_load4(placeOf(i));
  //!else
  let k = placesOf4(i);
  let v = vec4f(gradient(i, k.x), gradient(i + 1u, k.y), gradient(i + 2u, k.z), gradient(i + 3u, k.w));
  //!end
  //!if vec=4
  dx_store4(i, v);
  //!else
  //!for q in 0..4
  if (i + $q < p.n) { dx[i + $q] = narrow(v[$q]); }
  //!end
  //!end
}
