// What both paths of cross_entropy_rows share; needs logits and logarithm.

// Differences below cost infinitely much: those of -1e30 and 1e30 are above, masked elements, cut off at -1e36, below.
const INFINITE: f32 = -4e30;

// Exponentials and the share of the differences themselves in their mean.
fn shifted(row: u32, d: u32, top: f32) -> mat2x4f {
  let c = finite4(x_load4(row + d)) - top;
  return mat2x4f(within(power4(c), d, 0.0), within(max(c, vec4f(-1e36)) / f32(p.D), d, 0.0));
}

// sums: of exponentials, BROKEN with NaN among the logits, and of differences.
fn putRow(m: u32, top: f32, sums: vec2f) {
  let label = labels[m];
  let counts = label != p.ignore;
  // A label that is no class, or a logit that is no number, must not pass unseen: loss and gradient of the row are NaN.
  let broken = label >= p.D || sums.x >= BROKEN;
  let total = max(sums.x, 1.0);
  let hit = max(finite4(vec4f(x_load(m * p.D + min(label, p.D - 1u)))).x - top, -1e36);
  // Without smoothing a masked class costs nothing unless it is the label's.
  let spread = select(0.0, sums.y, p.smoothing > 0.0);
  let loss = bitcast<u32>(log4(vec4f(total)).x - (1.0 - p.smoothing) * hit - p.smoothing * spread);
  let told = select(select(loss, 0x7f800000u, min(hit, spread) < INFINITE), 0x7fc00000u, broken);
  terms[m * 2u] = bitcast<f32>(select(0u, told, counts));
  terms[m * 2u + 1u] = select(0.0, 1.0, counts);
  //!if stats
  stats[m * 2u] = top;
  stats[m * 2u + 1u] = bitcast<f32>(select(bitcast<u32>(1.0 / total), 0x7fc00000u, broken));
  //!end
}
