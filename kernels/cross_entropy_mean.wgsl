//! cross_entropy_mean: mean over the rows that count, by one workgroup
//! share = 1 / sum_m terms[m,1], loss = share * sum_m terms[m,0]; zeros when no row counts
//!
//! in    terms  [M, 2]   f32
//! out   loss   [1]      f32
//! out?  share  [1]      f32   kept for cross_entropy_bwd
//! tune  WG = 64               64 | 256
//! grid  1
//! lib   reduce_pair
//! ref   tests/ref/cross_entropy.ts

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  var s = vec2f();
  for (var m = lane; m < p.M; m += WG) { s += vec2f(terms[m * 2u], terms[m * 2u + 1u]); }
  let total = reducePair(s, lane);
  let part = select(0.0, 1.0 / total.y, total.y > 0.0);
  if (lane == 0u) {
    loss[0] = total.x * part;
    //!if share
    share[0] = part;
    //!end
  }
}
