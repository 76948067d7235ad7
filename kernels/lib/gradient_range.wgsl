// Which gradients count, told by bits: a compiler may assume that infinities and NaN do not exist, and what overflows is
// undefined. Squares of less than 2^48 do not overflow, however many of 2^31 elements are summed.

const RANGE: u32 = 0x57800000u;

fn magnitude(v: f32) -> u32 { return bitcast<u32>(v) & 0x7fffffffu; }

fn inRange(v: f32) -> f32 { return select(0.0, v, magnitude(v) < RANGE); }

// 0 within the range, 1 beyond it, 2 NaN.
fn rangeKind(most: u32) -> f32 { return select(select(0.0, 1.0, most >= RANGE), 2.0, most > 0x7f800000u); }

// The same for numbers of any size: 1 an infinity, 2 NaN.
fn numberKind(most: u32) -> f32 { return select(select(0.0, 1.0, most >= 0x7f800000u), 2.0, most > 0x7f800000u); }

fn orZero(v: f32) -> f32 { return select(0.0, v, magnitude(v) < 0x7f800000u); }

// A number, or the infinity or NaN that stands for its kind.
fn marked(value: f32, kind: f32) -> f32 {
  return bitcast<f32>(select(bitcast<u32>(value), select(0x7f800000u, 0x7fc00000u, kind > 1.0), kind > 0.0));
}
