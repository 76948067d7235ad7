//! softmax_bwd: gradient of softmax, or of its logarithm, from its result
//! dx[m,d] = scale * s * (dy - sum_d(dy * s)), s = saved; logs: dx[m,d] = scale * (dy - exp(saved) * sum_d(dy))
//!
//! in      saved  [M, D]   T/4   what the forward pass returned
//! in      dy     [M, D]   T/4
//! out     dx     [M, D]   T/4
//! param   scale  f32
//! option  form   probs | logs
//! tune    WG = 64               32 | 64 | 128 | 256
//! grid    fold M                one workgroup a row
//! flops   4*M*D
//! lib     reduce rows logits
//! ref     tests/ref/softmax.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg);
  if (m >= p.M) { return; }
  let row = m * p.D;
  var s = vec4f();
  for (var d = lane * 4u; d < p.D; d += WG * 4u) {
    //!if form=logs
    s += within(dy_load4(row + d), d, 0.0);
    //!else
    s += within(dy_load4(row + d) * saved_load4(row + d), d, 0.0);
    //!end
  }
  let total = reduceSum(sum4(s), lane);
  for (var d = lane * 4u; d < p.D; d += WG * 4u) {
    //!if form=logs
    putDx(row, d, p.scale * (dy_load4(row + d) - power4(finite4(saved_load4(row + d))) * total));
    //!else
    putDx(row, d, p.scale * saved_load4(row + d) * (dy_load4(row + d) - total));
    //!end
  }
}
