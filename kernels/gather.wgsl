//! gather: rows of a table by index; a row that does not exist reads as NaN, or as zeros
//! y[i * D + c] = x[index[i] * D + c], index[i] < V, c < D; counts in units of U elements
//!
//! in     x        [X, U]   W/4   U is 4 where the width of a row allows it, else 1; X = V * D
//! in     index    [n]      u32
//! out    y        [Y, U]   T/4
//! param  V        u32
//! param  D        u32
//! option outside  nan | zero
//! tune   WG = 64           64 | 256
//! lib    unit
//! grid   fold ceil(Y/WG)
//! flops  0
//! touch  x Y*U
//! ref    tests/ref/gather.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.Y) { return; }
  let row = i / p.D;
  let v = index[row];
  let xi = (v * p.D + (i - row * p.D)) * UNIT;
  //!if outside=nan
  // Not a constant expression: compilers refuse a NaN that they can see.
  var value: Wide = Wide(bitcast<f32>(v | 0x7fc00000u));
  //!else
  var value: Wide = Wide();
  //!end
  if (v < p.V) {
    //!if vec=4
    value = x_load4(xi);
    //!else
    value = x_load(xi);
    //!end
  }
  y[i] = toUnit(value);
}
