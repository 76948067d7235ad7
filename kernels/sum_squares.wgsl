//! sum_squares: sums of squares of blocks of 4096 elements, written from place `at` on
//! part[at + s] = sum_i x[i]^2, i in block s; an infinity or NaN where an element is 2^48 and more, or NaN
//!
//! in     x     [n]   f32
//! inout  part  [S]   f32
//! param  at    u32
//! tune   WG = 64     64 | 256
//! grid   fold ceil(n/4096)
//! flops  2*n
//! touch  part ceil(n/4096)
//! lib    reduce gradient_range
//! ref    tests/ref/adamw.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let block = folded(wg, nwg);
  let start = block * 4096u;
  if (start >= p.n) { return; }
  var s: f32 = 0.0;
  var most: u32 = 0u;
  for (var i = start + lane; i < min(start + 4096u, p.n); i += WG) {
    let v = x[i];
    most = max(most, magnitude(v));
    s += inRange(v) * inRange(v);
  }
  let total = reduceSum(s, lane);
  let kind = reduceMax(rangeKind(most), lane);
  if (lane == 0u) { part[p.at + block] = marked(total, kind); }
}
