// Where the pixels of patches lie: step k = (c * side + y) * side + x of row m is one channel of one pixel. A row of
// patches is `side` image rows, over all images.

// n / d for n below 2^20: half a step away from the integers, where no rounding of the division reaches.
fn quotient(n: vec4u, d: u32) -> vec4u { return vec4u((vec4f(n) + 0.5) * (1.0 / f32(d))); }

fn originOf(m: vec4u) -> vec4u {
  let row = quotient(m, p.columns);
  return row * (p.side * p.stride) + (m - row * p.columns) * (p.side * 3u);
}

fn channelOf(k: vec4u) -> vec4u {
  let plane = vec4u(p.side * p.side);
  return select(vec4u(), vec4u(1u), k >= plane) + select(vec4u(), vec4u(1u), k >= 2u * plane);
}

fn offsetOf(k: vec4u) -> vec4u {
  let c = channelOf(k);
  let line = quotient(k, p.side);
  return (line - c * p.side) * p.stride + (k - line * p.side) * 3u + c;
}
