//! segments_bounds: where each key begins in the sorted keys, by bisection
//! bound[v] = number of sorted[j] < v
//!
//! in     sorted  [n]   u32
//! out    bound   [E]   u32   E is one more than there are keys
//! tune   WG = 64       64 | 256
//! grid   fold ceil(E/WG)
//! flops  0
//! ref    tests/ref/gather.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let v = folded(wg, nwg) * WG + lane;
  if (v >= p.E) { return; }
  var low = 0u;
  var high = p.n;
  while (low < high) {
    let middle = (low + high) >> 1u;
    if (sorted[middle] < v) { low = middle + 1u; } else { high = middle; }
  }
  bound[v] = low;
}
