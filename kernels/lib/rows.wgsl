// Four elements of a row of D from column d on, for kernels that work row by row. Where D is a multiple of four they are
// one wide access; elsewhere `within` replaces what lies past the end of the row, and `putY`, `putDx` do not write it.

fn within(v: vec4f, d: u32, other: f32) -> vec4f {
  //!if vec=4
  return v;
  //!else
  return select(vec4f(other), v, vec4u(d, d + 1u, d + 2u, d + 3u) < vec4u(p.D));
  //!end
}

fn sum4(v: vec4f) -> f32 { return (v.x + v.y) + (v.z + v.w); }

//!if y
fn putY(row: u32, d: u32, v: vec4f) {
  //!if vec=4
  y_store4(row + d, v);
  //!else
  //!for q in 0..4
  if (d + $q < p.D) { y[row + d + $q] = narrow(v[$q]); }
  //!end
  //!end
}
//!end

//!if dx
fn putDx(row: u32, d: u32, v: vec4f) {
  //!if vec=4
  dx_store4(row + d, v);
  //!else
  //!for q in 0..4
  if (d + $q < p.D) { dx[row + d + $q] = narrow(v[$q]); }
  //!end
  //!end
}
//!end
