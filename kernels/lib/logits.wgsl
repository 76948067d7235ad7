// Elements of a row that is exponentiated, told by bits: a compiler may assume that infinities and NaN do not exist.

// Masked elements, minus infinity and what is below, count as the first; numbers beyond its negative, 1.1e38, count as that,
// so that differences are finite.
const LEAST: f32 = -0x1.5p+126f;
const LEAST_BITS: u32 = 0xfea80000u;
const MOST_BITS: i32 = 0x7ea80000i;
// What a sum of exponentials never reaches; stands for a row with NaN or plus infinity.
const BROKEN: f32 = 0x1p+120f;

fn max4(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }

// Negative numbers are unsigned integers beyond the positive ones and grow with their size.
fn finite4(v: vec4f) -> vec4f {
  let bits = min(bitcast<vec4u>(v), vec4u(LEAST_BITS));
  return bitcast<vec4f>(min(bitcast<vec4i>(bits), vec4i(MOST_BITS)));
}

struct Seen { positive: vec4i, negative: vec4u }

fn see(s: Seen, v: vec4f) -> Seen {
  return Seen(max(s.positive, bitcast<vec4i>(v)), max(s.negative, bitcast<vec4u>(v)));
}

// BROKEN if an element was NaN or plus infinity, else 0.
fn brokenSum(s: Seen) -> f32 {
  let high = max(max(s.positive.x, s.positive.y), max(s.positive.z, s.positive.w)) >= 0x7f800000i;
  let low = max(max(s.negative.x, s.negative.y), max(s.negative.z, s.negative.w)) > 0xff800000u;
  return select(0.0, BROKEN, high || low);
}

// exp(t), t <= 0; some drivers stop at the smallest normal number instead of reaching 0.
fn power4(t: vec4f) -> vec4f { return select(exp(max(t, vec4f(-200.0))), vec4f(), t < vec4f(-87.0)); }

fn power(t: f32) -> f32 { return power4(vec4f(t)).x; }
