//! augment_grey: grey of a patch summed by column, as it is where the contrast is changed; 0 where it is not
//! sums[b,x] = sum_y (0.2989 r + 0.587 g + 0.114 b) of the patch turned, enlarged, and with the colours of the steps before
//!
//! in     bytes    [B, S, S, 3]  u8
//! in     changes  [B, 33]       u32   a patch's numbers, as src/ops/augment.ts has them
//! out    sums     [B, S]        f32
//! tune   WG = 64                8 | 64
//! grid   fold ceil(B*S/WG)
//! flops  12*B*S*S
//! limit  S <= 32768
//! lib    augment_place augment_colour
//! ref    tests/ref/augment.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.B * p.S) { return; }
  let b = i / p.S;
  let at = b * 33u;
  var sum: f32 = 0.0;
  if (changes[at + 13u] != 0u) {
    for (var y = 0u; y < p.S; y++) { sum += dot(GREY, jittered(enlarged(b, at, y, i - b * p.S), at, 0.0, true)); }
  }
  sums[i] = sum;
}
