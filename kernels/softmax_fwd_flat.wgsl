//! softmax_fwd_flat: softmax_fwd without barriers, one invocation a row
//! y[m,d] = exp(scale * (x[m,d] - max_d(x))) / sum_d(...); logs: y[m,d] = scale * (x[m,d] - max_d(x)) - log(sum_d(...))
//!
//! in      x      [M, D]   T/4
//! out     y      [M, D]   T/4
//! param   scale  f32            positive
//! param   reach  f32            below such differences exponentials are 0
//! param   far    f32            below such differences logarithms are minus infinity
//! option  form   probs | logs
//! tune    WG = 8                8 | 32
//! grid    fold ceil(M/WG)
//! flops   6*M*D
//! lib     rows logits logarithm softmax
//! ref     tests/ref/softmax.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg) * WG + lane;
  if (m >= p.M) { return; }
  let row = m * p.D;
  // Sixteen elements, a cache line, at a time; the sum follows the largest element seen so far.
  var top = LEAST;
  var s = vec4f();
  var seen = Seen();
  var d: u32 = 0u;
  for (; d + 15u < p.D; d += 16u) {
    //!for q in 0..4
    let raw$q = x_load4(row + d + 4u * $q);
    seen = see(seen, raw$q);
    let x$q = finite4(raw$q);
    //!end
    let next = max(top, max4(max(max(x0, x1), max(x2, x3))));
    s *= weight(top, next);
    //!for q in 0..4
    s += weight4(x$q, next);
    //!end
    top = next;
  }
  for (; d < p.D; d += 4u) {
    let raw = within(x_load4(row + d), d, LEAST);
    seen = see(seen, raw);
    let x0 = finite4(raw);
    let next = max(top, max4(x0));
    s = s * weight(top, next) + within(weight4(x0, next), d, 0.0);
    top = next;
  }
  let all = rowOf(top, sum4(s) + brokenSum(seen));
  for (d = 0u; d + 3u < p.D; d += 4u) { y_store4(row + d, softmaxOf(x_load4(row + d), all)); }
  if (d < p.D) { putY(row, d, softmaxOf(x_load4(row + d), all)); }
}
