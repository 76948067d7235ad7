//! segment_softmax_partial: largest score and sum of exponentials of every S-th row of a segment
//! top[q,n] = max_j x[j,h], total[q,n] = sum_j exp(x[j,h] - top[q,n]), n = b * H + h, over the rows j = bound[b] + q, + S, ...
//! below bound[b + 1]; rows whose mask is 0 are left out
//!
//! in     x      [R, H]   T
//! in     bound  [E]      u32
//! in?    mask   [R]      u32
//! out    top    [S, N]   f32
//! out    total  [S, N]   f32
//! tune   WG = 64         8 | 64
//! lib    logits
//! grid   fold ceil(S*N/WG)
//! flops  3*R*H
//! ref    tests/ref/segment_softmax.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.S * p.N) { return; }
  let q = i / p.N;
  let n = i - q * p.N;
  let b = n / p.H;
  let h = n - b * p.H;
  let end = min(bound[b + 1u], p.R);
  var most: f32 = LEAST;
  var seen = Seen();
  var sum: f32 = 0.0;
  for (var j = bound[b] + q; j < end; j += p.S) {
    //!if mask
    if (mask[j] == 0u) { continue; }
    //!end
    let raw = vec4f(f32(x[j * p.H + h]));
    seen = see(seen, raw);
    let v = finite4(raw).x;
    let next = max(most, v);
    // Exactly 1 where the top stays: exp(0) may be 3 units off at every step.
    sum = sum * select(power(most - next), 1.0, most == next) + power(v - next);
    most = next;
  }
  top[i] = most;
  total[i] = sum + brokenSum(seen);
}
