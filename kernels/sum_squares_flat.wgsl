//! sum_squares_flat: sum_squares without barriers, one invocation a block
//! part[at + s] = sum_i x[i]^2, i in block s; an infinity or NaN where an element is 2^48 and more, or NaN
//!
//! in     x     [n]   f32
//! inout  part  [S]   f32
//! param  at    u32
//! tune   WG = 8      8 | 32
//! lib    gradient_range
//! grid   fold ceil(n/(4096*WG))
//! flops  2*n
//! touch  part ceil(n/4096)
//! ref    tests/ref/adamw.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = folded(wg, nwg) * WG;
  let block = first + lane;
  if (block * 4096u >= p.n) { return; }
  // Four chains hide the latency of the additions.
  var s0: f32 = 0.0;
  var s1: f32 = 0.0;
  var s2: f32 = 0.0;
  var s3: f32 = 0.0;
  var most: u32 = 0u;
  let end = min((block + 1u) * 4096u, p.n);
  var i = block * 4096u;
  for (; i + 3u < end; i += 4u) {
    let v = vec4f(x[i], x[i + 1u], x[i + 2u], x[i + 3u]);
    most = max(most, max(max(magnitude(v.x), magnitude(v.y)), max(magnitude(v.z), magnitude(v.w))));
    s0 += inRange(v.x) * inRange(v.x);
    s1 += inRange(v.y) * inRange(v.y);
    s2 += inRange(v.z) * inRange(v.z);
    s3 += inRange(v.w) * inRange(v.w);
  }
  for (; i < end; i++) {
    let v = x[i];
    most = max(most, magnitude(v));
    s0 += inRange(v) * inRange(v);
  }
  part[p.at + block] = marked((s0 + s1) + (s2 + s3), rangeKind(most));
}
