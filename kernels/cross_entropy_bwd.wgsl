//! cross_entropy_bwd: gradient of the mean cross-entropy with respect to the logits
//! dx[m,d] = dloss * share * (softmax_d(x) - (1 - smoothing) * [d = label[m]] - smoothing / D); zeros where the label is `ignore`
//!
//! in     x          [M, D]   T/4
//! in     labels     [M]      u32
//! in     stats      [M, 2]   f32   max_d(x), 1 / sum_d(exp(x - max)); NaN where the gradient is
//! in     share      [1]      f32
//! in     dloss      [1]      f32
//! out    dx         [M, D]   T/4
//! param  smoothing  f32
//! param  ignore     u32
//! tune   WG = 64                   8 | 32 | 64
//! grid   fold M                    one workgroup a row
//! flops  4*M*D
//! lib    rows logits
//! ref    tests/ref/cross_entropy.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let m = folded(wg, nwg);
  if (m >= p.M) { return; }
  let row = m * p.D;
  let label = labels[m];
  let factor = dloss[0] * share[0];
  let spread = p.smoothing / f32(p.D);
  // By bits, and the same for all elements.
  let mark = select(0u, 0x7fc00000u, (bitcast<u32>(stats[m * 2u + 1u]) & 0x7fffffffu) > 0x7f800000u);
  for (var d = lane * 4u; d < p.D; d += WG * 4u) {
    let softmax = power4(finite4(x_load4(row + d)) - stats[m * 2u]) * stats[m * 2u + 1u];
    let hit = select(vec4f(), vec4f(1.0 - p.smoothing), vec4u(d, d + 1u, d + 2u, d + 3u) == vec4u(label));
    let v = bitcast<vec4f>(bitcast<vec4u>(factor * (softmax - hit - spread)) | vec4u(mark));
    putDx(row, d, select(v, vec4f(), label == p.ignore));
  }
}
