// Weights of a blur, and the borders of a patch, which are mirrors.

fn weightOf(at: u32, k: u32, radius: u32) -> f32 { return number(at + 26u + max(k, radius) - min(k, radius)); }

// The place that `o - radius` is the mirror image of; at most 6 before the first.
fn mirrored(o: u32, radius: u32) -> u32 {
  let period = max(2u * (p.S - 1u), 1u);
  let within = (o + 6u * period - radius) % period;
  return min(within, period - within);
}
