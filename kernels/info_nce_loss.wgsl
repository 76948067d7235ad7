//! info_nce_loss: loss of each pair from both log-sum-exps; also turns the running column sums into log-sum-exps
//! loss[i] = (r[i] + c[i]) / 2 - scale * a[i,:] . b[i,:], c[i] = top[i] + log sum[i]
//!
//! in     a      [B, E]   f32
//! in     b      [B, E]   f32
//! in     scale  [1]      f32   1 / temperature
//! in     r      [B]      f32   row log-sum-exps
//! in     run    [2, B]   f32   top and sum of each column
//! out    c      [B]      f32   column log-sum-exps
//! out    loss   [B]      f32
//! tune   WG = 64               8 | 64
//! lib    scores marks logits logarithm
//! grid   fold ceil(B/WG)
//! flops  2*B*E
//! ref    tests/ref/info_nce.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.B) { return; }
  var dot: f32 = 0.0;
  for (var e = 0u; e < p.E; e++) { dot += a[i * p.E + e] * b[i * p.E + e]; }
  let column = run[i] + log4(vec4f(run[p.B + i])).x;
  let mark = markOfTop(run[i]);
  c[i] = marked(column, mark);
  loss[i] = marked(0.5 * (r[i] + column) - scale[0] * dot, mark | markOf(r[i]));
}
