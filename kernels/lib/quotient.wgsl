// a / b; WGSL leaves a division by 0 open: by bits it is the infinity of the sign, and NaN for 0 / 0, as in IEEE 754.
fn quotient4(a: vec4f, b: vec4f) -> vec4f {
  let x = bitcast<vec4u>(a);
  let y = bitcast<vec4u>(b);
  let none = select(vec4u(0x7f800000u), vec4u(0x7fc00000u), (x << vec4u(1u)) == vec4u(0u)) | ((x ^ y) & vec4u(0x80000000u));
  return bitcast<vec4f>(select(bitcast<vec4u>(a / b), none, (y << vec4u(1u)) == vec4u(0u)));
}
