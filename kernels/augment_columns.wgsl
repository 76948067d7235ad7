//! augment_columns: patches that are blurred, turned, enlarged, coloured, and blurred along their columns
//! columns[g,y,x] = sum_k weight[k] coloured[first + g, mirror(y + k - radius), x]; others are left alone
//!
//! in     bytes    [B, S, S, 3]  u8
//! in     changes  [B, 33]       u32   a patch's numbers, as src/ops/augment.ts has them
//! in     grey     [B]           f32   sum of the grey that the contrast is mixed with
//! out    columns  [G, S, S, 3]  f32
//! param  first    u32                 patch of the first columns
//! tune   WG = 64                8 | 64
//! grid   fold ceil(G*S*S/WG)
//! flops  60*G*S*S
//! limit  S <= 32768
//! lib    augment_place augment_colour augment_mirror
//! ref    tests/ref/augment.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  let row = i / p.S;
  let g = row / p.S;
  if (g >= p.G) { return; }
  let b = p.first + g;
  let at = b * 33u;
  let radius = changes[at + 7u];
  if (radius == 0u) { return; }
  let mean = grey[b] / f32(p.S * p.S);
  var sum = vec3f();
  for (var k = 0u; k <= 2u * radius; k++) {
    sum += weightOf(at, k, radius) * coloured(b, at, mirrored(row - g * p.S + k, radius), i - row * p.S, mean);
  }
  columns[3u * i] = sum.x;
  columns[3u * i + 1u] = sum.y;
  columns[3u * i + 2u] = sum.z;
}
