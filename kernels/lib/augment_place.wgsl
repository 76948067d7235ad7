// Pixels of patches that are turned and whose middle is enlarged. `at` is where a patch's row of numbers begins.

fn number(i: u32) -> f32 { return bitcast<f32>(changes[i]); }

// RGB at row y, column x of a turned patch, a byte each, from the lowest on.
fn turned(b: u32, at: u32, y: u32, x: u32) -> u32 {
  let place = bitcast<i32>(changes[at]) + bitcast<i32>(changes[at + 1u]) * i32(y) + bitcast<i32>(changes[at + 2u]) * i32(x);
  let i = (b * p.S * p.S + u32(place)) * 3u;
  let shift = (i & 3u) * 8u;
  // Where the three lie in one word, both are that word, and its bits beyond the third byte are cut off.
  return ((bytes[i >> 2u] >> shift) | ((bytes[(i + 2u) >> 2u] << 1u) << (31u - shift))) & 0xffffffu;
}
//!if upto=turn
//!else

fn unitOf(rgb: u32) -> vec3f { return vec3f((vec3u(rgb) >> vec3u(0u, 8u, 16u)) & vec3u(255u)) * (1.0 / 255.0); }

// Where row or column o was before: the one above or left, and the share of the next in units of 2^-32. In whole numbers: the
// share of a float would be off by a unit of the place, and the logarithm of dark pixels would see it.
fn placeBefore(at: u32, o: u32) -> vec2u {
  let side = changes[at + 3u];
  let low = o * (side & 0xffffu);
  let high = o * (side >> 16u);
  let part = low + (high << 16u);
  let share = part + changes[at + 5u];
  let carried = select(0u, 1u, part < low) + select(0u, 1u, share < part);
  return vec2u(changes[at + 4u] + (high >> 16u) + carried, share);
}

// Shares of the first and the second of two neighbours; both are right to their last bits, near 0 as near 1.
fn sharesOf(share: u32) -> vec2f { return vec2f(vec2u(~share, share)) * 0x1p-32f; }

fn enlarged(b: u32, at: u32, y: u32, x: u32) -> vec3f {
  if (changes[at + 3u] == 0u) { return unitOf(turned(b, at, y, x)); }
  let row = placeBefore(at, y);
  let column = placeBefore(at, x);
  let below = min(row.x + 1u, p.S - 1u);
  let right = min(column.x + 1u, p.S - 1u);
  let across = sharesOf(column.y);
  let down = sharesOf(row.y);
  let upper = across.x * unitOf(turned(b, at, row.x, column.x)) + across.y * unitOf(turned(b, at, row.x, right));
  let lower = across.x * unitOf(turned(b, at, below, column.x)) + across.y * unitOf(turned(b, at, below, right));
  return down.x * upper + down.y * lower;
}
//!end
