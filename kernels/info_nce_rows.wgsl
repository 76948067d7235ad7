//! info_nce_rows: log-sum-exp of each row of a block of scaled similarities
//! lse[at + i] = log sum_j exp(scale * s[i,j])
//!
//! in     s      [R, B]   f32   similarities of R rows with all B columns
//! in     scale  [1]      f32   1 / temperature
//! inout  lse    [L]      f32
//! param  at     u32            first row of the block
//! tune   WG = 64               64 | 256
//! grid   fold R                one workgroup a row
//! flops  4*R*B
//! touch  lse R
//! lib    reduce scores marks logits logarithm
//! ref    tests/ref/info_nce.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg);
  if (i >= p.R) { return; }
  let row = i * p.B;
  var most: f32 = LEAST;
  for (var j = lane; j < p.B; j += WG) { most = max(most, score(scale[0] * s[row + j])); }
  let top = reduceMax(most, lane);
  var total: f32 = 0.0;
  for (var j = lane; j < p.B; j += WG) { total += power(score(scale[0] * s[row + j]) - top); }
  let sum = reduceSum(total, lane);
  if (lane == 0u) { lse[p.at + i] = marked(top + log4(vec4f(sum)).x, markOfTop(top)); }
}
