// Scores of pairs and their exponentials in finite numbers; needs marks and logits. WGSL promises nothing of infinities and NaN in
// arithmetic, so a score that is none, or has overflowed, is told by bits and makes NaN of what depends on it, by bits.

// 1.1e38 stands for such a score, so that a row's largest tells; scores below -1.1e38 weigh nothing.
const MOST: f32 = 0x1.5p+126f;

fn score4(v: vec4f) -> vec4f { return select(finite4(v), vec4f(MOST), bitcast<vec4u>(v) > vec4u(0xff800000u)); }

fn score(v: f32) -> f32 { return score4(vec4f(v)).x; }

// Weight of a score of which the logarithm of the row's sum was taken; above 1 only by what scores have been rounded.
fn likely4(t: vec4f) -> vec4f { return power4(min(finite4(t), vec4f(1.0))); }

fn likely(t: f32) -> f32 { return likely4(vec4f(t)).x; }

// What makes NaN of a row whose largest score is this; one whose scores have all overflowed has no weights either.
fn markOfTop(top: f32) -> u32 { return select(NAN_BITS, 0u, top > LEAST && top < MOST); }
