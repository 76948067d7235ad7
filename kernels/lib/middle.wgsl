// Places of a tensor [A, R, C] and of one without its middle dimension, [A, C]; R and C are params.

fn placeOf(i: u32) -> u32 {
  //!if over=first
  return i % p.C;
  //!end
  //!if over=last
  return i / p.R;
  //!end
  //!if over=middle
  return i / (p.R * p.C) * p.C + i % p.C;
  //!end
}

// The same for elements i..i+3.
fn placesOf4(i: u32) -> vec4u {
  //!if quad=same
  return vec4u(placeOf(i));
  //!end
  //!if quad=next
  return placeOf(i) + vec4u(0u, 1u, 2u, 3u);
  //!end
  //!if quad=any
  return vec4u(placeOf(i), placeOf(i + 1u), placeOf(i + 2u), placeOf(i + 3u));
  //!end
}
