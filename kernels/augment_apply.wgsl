//! augment_apply: patches turned, enlarged, coloured and blurred, rounded once, four pixels an invocation
//! y[b] = floor(255 v + 0.5), v coloured or, where it is blurred, sum_k weight[k] columns[g,y,mirror(x + k - radius)]
//! Patches that are only turned keep their bytes.
//!
//! in     bytes    [B, S, S, 3]  u8
//! in     changes  [B, 33]       u32   a patch's numbers, as src/ops/augment.ts has them
//! in?    grey     [B]           f32   sum of the grey that the contrast is mixed with
//! in?    columns  [G, S, S, 3]  f32   patches from `first` on, blurred along their columns
//! out    y        [B, S, S, 3]  u8    patches first to first + count - 1
//! param  first    u32                 a multiple of four, so that no word is shared
//! param  count    u32
//! option upto     colour | turn
//! tune   WG = 64                8 | 64
//! grid   fold ceil(count*S*S/(4*WG))
//! flops  60*count*S*S     colour; what blur adds depends on the numbers
//! touch  y count*S*S*3
//! limit  S <= 32768
//! lib    augment_place augment_colour augment_mirror
//! ref    tests/ref/augment.ts

//!if upto=turn
fn pixel(b: u32, y: u32, x: u32) -> u32 { return turned(b, b * 33u, y, x); }
//!else
//!if columns
fn blurred(b: u32, at: u32, y: u32, x: u32) -> vec3f {
  let radius = changes[at + 7u];
  var sum = vec3f();
  for (var k = 0u; k <= 2u * radius; k++) {
    let i = (((b - p.first) * p.S + y) * p.S + mirrored(x + k, radius)) * 3u;
    sum += weightOf(at, k, radius) * vec3f(columns[i], columns[i + 1u], columns[i + 2u]);
  }
  return sum;
}
//!end

fn pixel(b: u32, y: u32, x: u32) -> u32 {
  let at = b * 33u;
  var v: vec3f = vec3f();
  //!if columns
  if (changes[at + 7u] != 0u) { v = blurred(b, at, y, x); } else {
  //!end
  if ((changes[at + 3u] | changes[at + 6u]) == 0u) { return turned(b, at, y, x); }
  v = coloured(b, at, y, x, grey[b] / f32(p.S * p.S));
  //!if columns
  }
  //!end
  let byte = vec3u(saturate(v) * 255.0 + 0.5);
  return byte.x | (byte.y << 8u) | (byte.z << 16u);
}
//!end

fn pixelAt(i: u32, end: u32) -> u32 {
  if (i >= end) { return 0u; }
  let row = i / p.S;
  let b = row / p.S;
  return pixel(b, row - b * p.S, i - row * p.S);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let four = folded(wg, nwg) * WG + lane;
  let end = (p.first + p.count) * p.S * p.S;
  let i = p.first * p.S * p.S + 4u * four;
  if (i >= end) { return; }
  // A loop, and not four copies of all that may be done to a pixel.
  var words = vec3u();
  for (var q = 0u; q < 4u; q++) {
    let rgb = pixelAt(i + q, end);
    // Word k has the bytes of pixel k behind the first k, and the first ones of the next.
    words |= select(vec3u(), vec3u(rgb) >> vec3u(0u, 8u, 16u), vec3u(q) == vec3u(0u, 1u, 2u));
    words |= select(vec3u(), vec3u(rgb) << vec3u(24u, 16u, 8u), vec3u(q) == vec3u(1u, 2u, 3u));
  }
  let word = i / 4u * 3u;
  y[word] = words.x;
  // The last ones may lie behind the end.
  if (i + 1u < end) { y[word + 1u] = words.y; }
  if (i + 2u < end) { y[word + 2u] = words.z; }
}
