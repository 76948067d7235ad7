//! segment_pool_partial: weighted sum of the rows of each segment, a share of them
//! part[q,n] = sum_j w[j,h] * x[j,c], n = (b * H + h) * D + c, over the q-th of S equal shares of segment b, c < D, in units of U
//! elements; rows of weight 0 are not read
//!
//! in     x      [X, U]   T/4    U is 4 where the width of a row allows it, else 1; X = R * D
//! in     w      [R, H]   T
//! in     bound  [E]      u32
//! out    part   [Z, U]   f32/4  Z = S * (E - 1) * H * D
//! param  D      u32
//! param  S      u32
//! tune   WG = 64         8 | 64
//! lib    unit
//! grid   fold ceil(Z/WG)
//! flops  2*X*U*H
//! ref    tests/ref/segment_pool.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.Z) { return; }
  let k = i / p.D;
  let c = i - k * p.D;
  let n = k / p.H;
  let h = k - n * p.H;
  let q = n / (p.E - 1u);
  let b = n - q * (p.E - 1u);
  let first = min(bound[b], p.R);
  let last = max(min(bound[b + 1u], p.R), first);
  let share = (last - first + p.S - 1u) / p.S;
  var sum: Wide = Wide();
  for (var j = first + q * share; j < min(last, first + (q + 1u) * share); j++) {
    let v = f32(w[j * p.H + h]);
    if (v != 0.0) { sum += v * Wide(x[j * p.D + c]); }
  }
  part[i] = sum;
}
