//! cross_entropy_mean: mean over the rows that count, by one workgroup
//! share = 1 / sum_m terms[m,1], loss = share * sum_m terms[m,0]; zeros when no row counts; what is no number in terms is none in loss
//!
//! in    terms  [M, 2]   f32
//! out   loss   [1]      f32
//! out?  share  [1]      f32   kept for cross_entropy_bwd
//! tune  WG = 64               64 | 256
//! grid  1
//! flops 2*M
//! lib   reduce reduce_pair gradient_range
//! ref   tests/ref/cross_entropy.ts

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  var s = vec2f();
  var most: u32 = 0u;
  for (var m = lane; m < p.M; m += WG) {
    let term = terms[m * 2u];
    most = max(most, magnitude(term));
    s += vec2f(orZero(term), terms[m * 2u + 1u]);
  }
  let total = reducePair(s, lane);
  let kind = reduceMax(numberKind(most), lane);
  let part = select(0.0, 1.0 / max(total.y, 1.0), total.y > 0.0);
  if (lane == 0u) {
    loss[0] = marked(total.x * part, kind);
    //!if share
    share[0] = part;
    //!end
  }
}
