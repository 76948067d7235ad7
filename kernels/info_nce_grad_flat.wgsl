//! info_nce_grad_flat: info_nce_grad without barriers, one invocation a row
//! w = dloss (exp(x - r[i]) + exp(x - c[j]) - 2 [i = j]) / (2 B), x = scale * s[i,j]; ds[i,j] = w * scale, dscale[i] = sum_j w s
//!
//! in     s       [R, B]   f32   similarities of R rows with all B columns
//! in     scale   [1]      f32   1 / temperature
//! in     r       [B]      f32   row log-sum-exps
//! in     c       [B]      f32   column log-sum-exps
//! in     dloss   [1]      f32
//! out    ds      [R, B]   f32
//! inout  dscale  [B]      f32
//! param  at      u32            first row of the block
//! tune   WG = 8                 8 | 32
//! grid   fold ceil(R/WG)
//! flops  10*R*B
//! touch  r R
//! touch  dscale R
//! lib    scores marks logits
//! ref    tests/ref/info_nce.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.R) { return; }
  let m = p.at + i;
  let factor = dloss[0] / (2.0 * f32(p.B));
  var total: f32 = 0.0;
  for (var j = 0u; j < p.B; j++) {
    let raw = s[i * p.B + j];
    let x = scale[0] * raw;
    let likelihoods = likely(x - r[m]) + likely(x - c[j]);
    let w = marked(factor * (likelihoods - select(0.0, 2.0, j == m)), markOf(r[m]) | markOf(c[j]));
    ds[i * p.B + j] = w * scale[0];
    total += w * raw;
  }
  dscale[m] = total;
}
