//! sum_squares_flat: sum_squares without barriers, one invocation a block
//! part[at + s] = sum_i x[i]^2, i in block s
//!
//! in     x     [n]   f32
//! inout  part  [S]   f32
//! param  at    u32
//! tune   WG = 8      8 | 32
//! grid   fold ceil(n/(4096*WG))
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
  let end = min((block + 1u) * 4096u, p.n);
  var i = block * 4096u;
  for (; i + 3u < end; i += 4u) {
    s0 += x[i] * x[i];
    s1 += x[i + 1u] * x[i + 1u];
    s2 += x[i + 2u] * x[i + 2u];
    s3 += x[i + 3u] * x[i + 3u];
  }
  for (; i < end; i++) { s0 += x[i] * x[i]; }
  part[p.at + block] = (s0 + s1) + (s2 + s3);
}
