// Four pixels of the channels c, normalised; f32 images already are.

//!if bytes
fn scaleOf(c: vec4u) -> vec4f {
  return select(select(vec4f(p.scale0), vec4f(p.scale1), c == vec4u(1u)), vec4f(p.scale2), c == vec4u(2u));
}

fn shiftOf(c: vec4u) -> vec4f {
  return select(select(vec4f(p.shift0), vec4f(p.shift1), c == vec4u(1u)), vec4f(p.shift2), c == vec4u(2u));
}
//!end

fn pixels4(i: vec4u, c: vec4u) -> vec4f {
  //!if bytes
  let raw = vec4u(bytes_load(i.x), bytes_load(i.y), bytes_load(i.z), bytes_load(i.w));
  return fma(vec4f(raw), scaleOf(c), shiftOf(c));
  //!else
  return vec4f(f32(pixels[i.x]), f32(pixels[i.y]), f32(pixels[i.z]), f32(pixels[i.w]));
  //!end
}
