// Places of element i of the result in two operands, by strides; dimension 0 is outermost and needs no extent.

fn placesOf(i: u32) -> vec2u {
  var rest = i;
  var at = vec2u();
  //!for j in 1..rank
  let next$j = rest / p.e$j;
  at += (rest - next$j * p.e$j) * vec2u(p.a$j, p.b$j);
  rest = next$j;
  //!end
  return at + rest * vec2u(p.a0, p.b0);
}
