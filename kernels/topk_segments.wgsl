//! topk_segments: the K largest scores of each segment of 512 columns, one invocation a query and segment
//! score[q,g,:] = the K largest of s[q, 512 g .. 512 g + 511], largest first, ties by lower index; index counts from `at`
//!
//! in     s      [Q, C]      f32
//! out    score  [Q, G, K]   f32   -3e38 where a segment has fewer columns
//! out    index  [Q, G, K]   u32   4294967295 there
//! param  at     u32
//! tune   WG = 64            8 | 64
//! limit  G == ceil(C / 512)
//! grid   fold ceil(Q*G/WG)
//! flops  0
//! ref    tests/ref/topk.ts

// Of an empty place; every score found is above. Finite, as a compiler may assume that nothing else exists.
const NONE: f32 = -3e38;

// A score, NONE for NaN: comparisons tell nothing of it.
fn number(v: f32) -> f32 { return select(NONE, v, (bitcast<u32>(v) & 0x7fffffffu) <= 0x7f800000u); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = folded(wg, nwg) * WG + lane;
  if (i >= p.Q * p.G) { return; }
  let q = i / p.G;
  let first = (i - q * p.G) * 512u;
  let list = i * p.K;
  for (var n = 0u; n < p.K; n++) {
    score[list + n] = NONE;
    index[list + n] = 0xffffffffu;
  }
  var least: f32 = NONE;
  for (var c = first; c < min(first + 512u, p.C); c++) {
    let v = number(s[q * p.C + c]);
    if (v > least) {
      var n: u32 = p.K - 1u;
      // Equal scores stay where they are, so the lower index comes first.
      while (n > 0u && score[list + n - 1u] < v) {
        score[list + n] = score[list + n - 1u];
        index[list + n] = index[list + n - 1u];
        n -= 1u;
      }
      score[list + n] = v;
      index[list + n] = p.at + c;
      least = score[list + p.K - 1u];
    }
  }
}
