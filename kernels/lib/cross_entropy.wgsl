// What both paths of cross_entropy_rows share.

const LOWEST: f32 = -0x1.fffffep+127f;

fn max4(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }

// Exponentials and the differences themselves.
fn shifted(row: u32, d: u32, top: f32) -> mat2x4f {
  let c = x_load4(row + d) - top;
  return mat2x4f(within(exp(c), d, 0.0), within(c, d, 0.0));
}

fn putRow(m: u32, top: f32, sums: vec2f) {
  let label = labels[m];
  let counts = label != p.ignore;
  // A label that is no class must not pass unseen: the loss and the gradient of its row are NaN.
  let broken = bitcast<f32>(p.D | 0x7fc00000u);
  let valid = label < p.D;
  let hit = x_load(m * p.D + min(label, p.D - 1u)) - top;
  // Without smoothing a masked class (minus infinity) costs nothing.
  let spread = select(0.0, p.smoothing * (sums.y / f32(p.D)), p.smoothing > 0.0);
  let loss = select(broken, log(sums.x) - (1.0 - p.smoothing) * hit - spread, valid);
  terms[m * 2u] = select(0.0, loss, counts);
  terms[m * 2u + 1u] = select(0.0, 1.0, counts);
  //!if stats
  stats[m * 2u] = top;
  stats[m * 2u + 1u] = select(broken, 1.0 / sums.x, valid);
  //!end
}
