//! dropout: zero random elements and scale the others; the same call is its own backward
//! y[i] = word[i] >= threshold ? scale * x[i] : 0, word[i] = threefry(key = (seed, stream), counter = (i / 2, step))[i & 1]
//!
//! in     x          [n]   T/4
//! in     random     [2]   u32   seed, step
//! out    y          [n]   T/4
//! param  stream     u32
//! param  threshold  u32         p * 2^32
//! param  scale      f32         1 / (1 - p)
//! tune   WG = 64          64 | 256
//! lib    threefry
//! grid   fold ceil(n/(WG*4))
//! ref    tests/ref/dropout.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (folded(wg, nwg) * WG + lane) * 4u;
  if (i >= p.n) { return; }
  let key = vec2u(random[0], p.stream);
  let a = threefry(key, vec2u(i >> 1u, random[1]));
  let b = threefry(key, vec2u((i >> 1u) + 1u, random[1]));
  let keep = vec4u(a, b) >= vec4u(p.threshold);
  //!if vec=4
  y_store4(i, select(vec4f(), p.scale * x_load4(i), keep));
  //!else
  //!for q in 0..4
  if (i + $q < p.n) { y[i + $q] = T(select(0.0, p.scale * x_load(i + $q), keep[$q])); }
  //!end
  //!end
}
