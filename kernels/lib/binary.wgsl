// An operation on two operands, four values at a time, and its slopes; needs quotient.wgsl; ties of min and max share their gradient.

fn binary4(a: vec4f, b: vec4f) -> vec4f {
  //!if f=add
  return a + b;
  //!end
  //!if f=sub
  return a - b;
  //!end
  //!if f=mul
  return a * b;
  //!end
  //!if f=div
  return quotient4(a, b);
  //!end
  //!if f=min
  return min(a, b);
  //!end
  //!if f=max
  return max(a, b);
  //!end
}

// 1 where a > b, 1/2 where they are equal.
fn above4(a: vec4f, b: vec4f) -> vec4f {
  return select(select(vec4f(0.0), vec4f(0.5), a == b), vec4f(1.0), a > b);
}

fn binarySlope4(a: vec4f, b: vec4f) -> array<vec4f, 2> {
  //!if f=add
  return array(vec4f(1.0), vec4f(1.0));
  //!end
  //!if f=sub
  return array(vec4f(1.0), vec4f(-1.0));
  //!end
  //!if f=mul
  return array(b, a);
  //!end
  //!if f=div
  return array(quotient4(vec4f(1.0), b), -quotient4(quotient4(a, b), b));
  //!end
  //!if f=min
  return array(above4(b, a), above4(a, b));
  //!end
  //!if f=max
  return array(above4(a, b), above4(b, a));
  //!end
}
