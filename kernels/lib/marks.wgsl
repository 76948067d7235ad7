// NaN told and kept by bits: a compiler may take infinities and NaN for what never happens, so exponentials, comparisons and
// the larger or smaller of two numbers may make numbers of them.

const NAN_BITS: u32 = 0x7fc00000u;

// What makes NaN of all that a value takes part in, if it is no number.
fn markOf(v: f32) -> u32 { return select(0u, NAN_BITS, (bitcast<u32>(v) & 0x7fffffffu) >= 0x7f800000u); }

fn marked4(v: vec4f, mark: u32) -> vec4f { return bitcast<vec4f>(bitcast<vec4u>(v) | vec4u(mark)); }

fn marked(v: f32, mark: u32) -> f32 { return marked4(vec4f(v), mark).x; }

// What is made of a value, NaN if that is.
fn keepNaN4(y: vec4f, x: vec4f) -> vec4f {
  let none = (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
  return bitcast<vec4f>(bitcast<vec4u>(y) | select(vec4u(), vec4u(NAN_BITS), none));
}

fn keepNaN(y: f32, x: f32) -> f32 { return keepNaN4(vec4f(y), vec4f(x)).x; }
