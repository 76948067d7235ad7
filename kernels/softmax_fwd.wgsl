//! softmax_fwd: softmax of each row, or its logarithm
//! y[m,d] = exp(scale * (x[m,d] - max_d(x))) / sum_d(...); logs: y[m,d] = scale * (x[m,d] - max_d(x)) - log(sum_d(...))
//!
//! in      x      [M, D]   T/4
//! out     y      [M, D]   T/4
//! param   scale  f32            positive
//! param   reach  f32            below such differences exponentials are 0
//! param   far    f32            below such differences logarithms are minus infinity
//! option  form   probs | logs
//! tune    WG = 64               32 | 64 | 128 | 256
//! grid    fold M                one workgroup a row
//! flops   6*M*D
//! lib     reduce rows logits logarithm softmax
//! ref     tests/ref/softmax.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg);
  if (m >= p.M) { return; }
  let row = m * p.D;
  var top = LEAST;
  var s = vec4f();
  var seen = Seen();
  for (var d = lane * 4u; d < p.D; d += WG * 4u) {
    let raw = within(x_load4(row + d), d, LEAST);
    seen = see(seen, raw);
    let x0 = finite4(raw);
    let next = max(top, max4(x0));
    s = s * weight(top, next) + within(weight4(x0, next), d, 0.0);
    top = next;
  }
  let most = reduceMax(top, lane);
  let all = rowOf(most, reduceSum(sum4(s) * weight(top, most) + brokenSum(seen), lane));
  for (var d = lane * 4u; d < p.D; d += WG * 4u) { putY(row, d, softmaxOf(x_load4(row + d), all)); }
}
