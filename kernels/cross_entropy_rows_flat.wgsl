//! cross_entropy_rows_flat: cross_entropy_rows without barriers, one invocation a row
//! loss[m] = log(sum_d(e)) - (1 - smoothing) * c[m,label[m]] - smoothing / D * sum_d(c[m,d]), c = x - max_d(x), e = exp(c)
//!
//! in     x          [M, D]   T/4   logits
//! in     labels     [M]      u32   loss NaN at D and beyond, and with NaN or plus infinity among the logits
//! out    terms      [M, 2]   f32   loss, 1; zeros where the label is `ignore`
//! out?   stats      [M, 2]   f32   max_d(x), 1 / sum_d(e); kept for cross_entropy_bwd
//! param  smoothing  f32
//! param  ignore     u32
//! tune   WG = 8                    8 | 32
//! grid   fold ceil(M/WG)
//! flops  6*M*D
//! lib    rows logits logarithm cross_entropy
//! ref    tests/ref/cross_entropy.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg) * WG + lane;
  if (m >= p.M) { return; }
  let row = m * p.D;
  var top = LEAST;
  var seen = Seen();
  for (var d = 0u; d < p.D; d += 4u) {
    let raw = within(x_load4(row + d), d, LEAST);
    seen = see(seen, raw);
    top = max(top, max4(finite4(raw)));
  }
  var s = mat2x4f();
  for (var d = 0u; d < p.D; d += 4u) { s += shifted(row, d, top); }
  putRow(m, top, vec2f(sum4(s[0]) + brokenSum(seen), sum4(s[1])));
}
