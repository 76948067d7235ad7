//! info_nce_rows_flat: info_nce_rows without barriers, one invocation a row
//! lse[at + i] = log sum_j exp(scale * s[i,j])
//!
//! in     s      [R, B]   f32   similarities of R rows with all B columns
//! in     scale  [1]      f32   1 / temperature
//! inout  lse    [L]      f32
//! param  at     u32            first row of the block
//! tune   WG = 8                8 | 32
//! lib    scores marks logits logarithm
//! grid   fold ceil(R/WG)
//! flops  4*R*B
//! touch  lse R
//! ref    tests/ref/info_nce.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.R) { return; }
  let row = i * p.B;
  var top: f32 = LEAST;
  for (var j = 0u; j < p.B; j++) { top = max(top, score(scale[0] * s[row + j])); }
  var sum: f32 = 0.0;
  for (var j = 0u; j < p.B; j++) { sum += power(score(scale[0] * s[row + j]) - top); }
  lse[p.at + i] = marked(top + log4(vec4f(sum)).x, markOfTop(top));
}
