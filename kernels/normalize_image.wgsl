//! normalize_image: RGB bytes to normalised numbers, four an invocation
//! y[i] = scale[c] * bytes[i] + shift[c], c = i mod 3
//!
//! in     bytes   [n]   u8
//! out    y       [n]   f32/4
//! param  scale0  f32          1 / (255 std) and -mean / std by channel
//! param  scale1  f32
//! param  scale2  f32
//! param  shift0  f32
//! param  shift1  f32
//! param  shift2  f32
//! tune   WG = 64              8 | 64
//! grid   fold ceil(n/(4*WG))
//! flops  2*n
//! ref    tests/ref/normalize_image.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let word = folded(wg, nwg) * WG + lane;
  let i = word * 4u;
  if (i >= p.n) { return; }
  // Channel of the first of the four; the rest follow in turn.
  let c = word % 3u;
  let a = vec3f(p.scale0, p.scale1, p.scale2);
  let b = vec3f(p.shift0, p.shift1, p.shift2);
  let scale = select(select(a.zxyz, a.yzxy, c == 1u), a.xyzx, c == 0u);
  let shift = select(select(b.zxyz, b.yzxy, c == 1u), b.xyzx, c == 0u);
  let v = fma(vec4f((vec4u(bytes[word]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u)), scale, shift);
  //!if vec=4
  y_store4(i, v);
  //!else
  //!for q in 0..4
  if (i + $q < p.n) { y[i + $q] = v[$q]; }
  //!end
  //!end
}
