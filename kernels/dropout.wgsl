//! dropout: zero random elements and scale the others; the same call is its own backward
//! y[r,c] = word[r,c] >= threshold ? scale * x[r,c] : 0; word[r,c] of a row of the batch and a column, whatever else is in x
//! word[r,c] = threefry(key = (key0, key1 ^ stream), counter = (c / 2, first row + r))[c & 1]
//!
//! in     x          [R, C]  T/4   rows of the batch
//! in     random     [4]     u32   key of the step (2), first row, step
//! out    y          [R, C]  T/4
//! param  stream     u32           of the name
//! param  threshold  u32           p * 2^32
//! param  scale      f32           1 / (1 - p)
//! tune   WG = 64            64 | 256
//! lib    threefry
//! grid   fold ceil(R*ceil(C/4)/WG)
//! flops  R*C
//! ref    tests/ref/dropout.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let id = folded(wg, nwg) * WG + lane;
  let quads = (p.C + 3u) / 4u;
  if (id >= p.R * quads) { return; }
  let r = id / quads;
  let c = (id - r * quads) * 4u;
  let i = r * p.C + c;
  let key = vec2u(random[0], random[1] ^ p.stream);
  let a = threefry(key, vec2u(c >> 1u, random[2] + r));
  let b = threefry(key, vec2u((c >> 1u) + 1u, random[2] + r));
  let keep = vec4u(a, b) >= vec4u(p.threshold);
  //!if vec=4
  y_store4(i, select(vec4f(), p.scale * x_load4(i), keep));
  //!else
  //!for q in 0..4
  if (c + $q < p.C) { y[i + $q] = narrow(select(0.0, p.scale * x_load(i + $q), keep[$q])); }
  //!end
  //!end
}
