//! cross_entropy_rows: cross-entropy of each row of logits against its label
//! loss[m] = log(sum_d(e)) - (1 - smoothing) * c[m,label[m]] - smoothing / D * sum_d(c[m,d]), c = x - max_d(x), e = exp(c)
//!
//! in     x          [M, D]   T/4   logits
//! in     labels     [M]      u32   loss NaN at D and beyond, and with NaN or plus infinity among the logits
//! out    terms      [M, 2]   f32   loss, 1; zeros where the label is `ignore`
//! out?   stats      [M, 2]   f32   max_d(x), 1 / sum_d(e); kept for cross_entropy_bwd
//! param  smoothing  f32
//! param  ignore     u32
//! tune   WG = 64                   32 | 64 | 128 | 256
//! grid   fold M                    one workgroup a row
//! flops  6*M*D
//! lib    reduce reduce_pair rows logits logarithm cross_entropy
//! ref    tests/ref/cross_entropy.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg);
  if (m >= p.M) { return; }
  let row = m * p.D;
  var most = LEAST;
  var seen = Seen();
  for (var d = lane * 4u; d < p.D; d += WG * 4u) {
    let raw = within(x_load4(row + d), d, LEAST);
    seen = see(seen, raw);
    most = max(most, max4(finite4(raw)));
  }
  let top = reduceMax(most, lane);
  var s = mat2x4f();
  for (var d = lane * 4u; d < p.D; d += WG * 4u) { s += shifted(row, d, top); }
  let sums = reducePair(vec2f(sum4(s[0]) + brokenSum(seen), sum4(s[1])), lane);
  if (lane == 0u) { putRow(m, top, sums); }
}
