//! info_nce_columns: carries the running log-sum-exp of each column over one more block of rows, one invocation a column
//! top' = max(top, max_i x_i), sum' = sum * exp(top - top') + sum_i exp(x_i - top'), x_i = scale * s[i,j]
//!
//! in     s      [R, B]   f32   similarities of R rows with all B columns
//! in     scale  [1]      f32   1 / temperature
//! inout  run    [2, B]   f32   top and sum of the blocks before; not read for the first block
//! param  at     u32            first row of the block
//! tune   WG = 64               8 | 64
//! grid   fold ceil(B/WG)
//! flops  4*R*B
//! lib    scores marks logits
//! ref    tests/ref/info_nce.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let j = folded(wg, nwg) * WG + lane;
  if (j >= p.B) { return; }
  var top: f32 = LEAST;
  var sum: f32 = 0.0;
  if (p.at > 0u) {
    top = run[j];
    sum = run[p.B + j];
  }
  var most: f32 = top;
  for (var i = 0u; i < p.R; i++) { most = max(most, score(scale[0] * s[i * p.B + j])); }
  // Exactly 1 where the top stays: exp(0) may be 3 units off at every block.
  sum = sum * select(power(top - most), 1.0, top == most);
  for (var i = 0u; i < p.R; i++) { sum += power(score(scale[0] * s[i * p.B + j]) - most); }
  run[j] = most;
  run[p.B + j] = sum;
}
