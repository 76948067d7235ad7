//! topk_merge: merges the lists of all segments of a block into the running list of each query, one invocation a query
//! best[q,:] = the K largest of best[q,:] and score[q,:,:], largest first, ties by lower index
//!
//! in     score  [Q, G, K]   f32
//! in     index  [Q, G, K]   u32
//! inout  best   [Q, K]      f32
//! inout  found  [Q, K]      u32
//! param  at     u32               0 for the first block: the running list is then not read
//! tune   WG = 64            8 | 64
//! grid   fold ceil(Q/WG)
//! flops  0
//! ref    tests/ref/topk.ts

// Of an empty place; every score found is above. Finite, as a compiler may assume that nothing else exists.
const NONE: f32 = -3e38;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let q = folded(wg, nwg) * WG + lane;
  if (q >= p.Q) { return; }
  let list = q * p.K;
  if (p.at == 0u) {
    for (var n = 0u; n < p.K; n++) {
      best[list + n] = NONE;
      found[list + n] = 0xffffffffu;
    }
  }
  for (var g = 0u; g < p.G; g++) {
    for (var j = 0u; j < p.K; j++) {
      let source = (q * p.G + g) * p.K + j;
      let v = score[source];
      // The lists are sorted: nothing behind this one can enter.
      if (v <= best[list + p.K - 1u]) { break; }
      var n: u32 = p.K - 1u;
      while (n > 0u && best[list + n - 1u] < v) {
        best[list + n] = best[list + n - 1u];
        found[list + n] = found[list + n - 1u];
        n -= 1u;
      }
      best[list + n] = v;
      found[list + n] = index[source];
    }
  }
}
