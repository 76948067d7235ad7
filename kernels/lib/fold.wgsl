// What a reduction does with four elements, and with two results.

fn combine4(u: vec4f, v: vec4f) -> vec4f {
  //!if f=max
  return max(u, v);
  //!else
  return u + v;
  //!end
}

// Value of elements i..i+3 of x; elements from `end` on are `none`. `t` is what count compares with.
fn element4(i: u32, end: u32, none: vec4f, t: vec4f) -> vec4f {
  var v = x_load4(i);
  //!if w
  v *= w_load4(i);
  //!end
  //!if f=count
  v = select(vec4f(0.0), vec4f(1.0), v == t);
  //!end
  //!if vec=4
  return v;
  //!else
  return select(none, v, vec4u(i, i + 1u, i + 2u, i + 3u) < vec4u(end));
  //!end
}
