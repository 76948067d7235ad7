//! softmax_fwd: softmax of each row, or its logarithm
//! y[m,d] = exp(scale * (x[m,d] - max_d(x))) / sum_d(...); logs: y[m,d] = scale * (x[m,d] - max_d(x)) - log(sum_d(...))
//!
//! in      x      [M, D]   T/4
//! out     y      [M, D]   T/4
//! param   scale  f32            positive
//! option  form   probs | logs
//! tune    WG = 64               32 | 64 | 128 | 256
//! grid    fold M                one workgroup a row
//! lib     reduce rows softmax
//! ref     tests/ref/softmax.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg);
  if (m >= p.M) { return; }
  let row = m * p.D;
  var top = LOWEST;
  var s = vec4f();
  for (var d = lane * 4u; d < p.D; d += WG * 4u) {
    let x0 = within(x_load4(row + d), d, LOWEST);
    let next = max(top, max4(x0));
    s = s * exp(p.scale * (top - next)) + within(exp(p.scale * (x0 - next)), d, 0.0);
    top = next;
  }
  let most = reduceMax(top, lane);
  let total = reduceSum(sum4(s) * exp(p.scale * (top - most)), lane);
  for (var d = lane * 4u; d < p.D; d += WG * 4u) { putY(row, d, softmaxOf(x_load4(row + d), most, total)); }
}
