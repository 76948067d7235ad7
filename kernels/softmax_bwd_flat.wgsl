//! softmax_bwd_flat: softmax_bwd without barriers, one invocation a row
//! dx[m,d] = scale * s * (dy - sum_d(dy * s)), s = saved; logs: dx[m,d] = scale * (dy - exp(saved) * sum_d(dy))
//!
//! in      saved  [M, D]   T/4   what the forward pass returned
//! in      dy     [M, D]   T/4
//! out     dx     [M, D]   T/4
//! param   scale  f32
//! option  form   probs | logs
//! tune    WG = 8                8 | 32
//! grid    fold ceil(M/WG)
//! flops   4*M*D
//! lib     rows logits
//! ref     tests/ref/softmax.ts

fn term(row: u32, d: u32) -> vec4f {
  //!if form=logs
  return within(dy_load4(row + d), d, 0.0);
  //!else
  return within(dy_load4(row + d) * saved_load4(row + d), d, 0.0);
  //!end
}

fn slope(row: u32, d: u32, total: f32) -> vec4f {
  //!if form=logs
  return p.scale * (dy_load4(row + d) - power4(finite4(saved_load4(row + d))) * total);
  //!else
  return p.scale * saved_load4(row + d) * (dy_load4(row + d) - total);
  //!end
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg) * WG + lane;
  if (m >= p.M) { return; }
  let row = m * p.D;
  // Sixteen elements, a cache line, at a time: an invocation's lines are evicted by its neighbours' otherwise.
  var s = vec4f();
  var d: u32 = 0u;
  for (; d + 15u < p.D; d += 16u) {
    //!for q in 0..4
    s += term(row, d + 4u * $q);
    //!end
  }
  for (; d < p.D; d += 4u) { s += term(row, d); }
  let total = sum4(s);
  for (d = 0u; d + 15u < p.D; d += 16u) {
    //!for q in 0..4
    dx_store4(row + d + 4u * $q, slope(row, d + 4u * $q, total));
    //!end
  }
  for (; d < p.D; d += 4u) { putDx(row, d, slope(row, d, total)); }
}
