//! segments_carry: what a chunk of 256 sorted rows adds to a segment that began before it
//! carry[h * D + c] = sum_j x[order[j] * D + c], j in chunk h with sorted[j] = sorted[256 h], c < D, in units of U elements;
//! left out where a segment begins with the chunk
//!
//! in     x       [X, U]   T/4   U is 4 where the width of a row allows it, else 1
//! in     order   [n]      u32
//! in     sorted  [n]      u32
//! out    carry   [Z, U]   f32/4
//! param  D       u32
//! tune   WG = 64          8 | 64
//! lib    unit
//! grid   fold ceil(Z/WG)
//! flops  n*D*U
//! ref    tests/ref/scatter.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  let h = i / p.D;
  if (i >= p.Z || h == 0u) { return; }
  let c = i - h * p.D;
  let first = h * 256u;
  let v = sorted[first];
  if (sorted[first - 1u] != v) { return; }
  var sum: Wide = Wide();
  for (var j = first; j < min(first + 256u, p.n) && sorted[j] == v; j++) { sum += Wide(x[order[j] * p.D + c]); }
  carry[i] = sum;
}
