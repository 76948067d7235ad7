// Two sums at once over a workgroup of WG (a power of two) invocations; see reduce.wgsl.

const PAIR_FEW: u32 = min(WG, 8u);
var<workgroup> pairAll: array<vec2f, WG>;
var<workgroup> pairFew: array<vec2f, PAIR_FEW>;

fn reducePair(value: vec2f, lane: u32) -> vec2f {
  pairAll[lane] = value;
  workgroupBarrier();
  if (lane < PAIR_FEW) {
    var s = vec2f();
    for (var i = lane; i < WG; i += PAIR_FEW) { s += pairAll[i]; }
    pairFew[lane] = s;
  }
  workgroupBarrier();
  var total = vec2f();
  for (var i = 0u; i < PAIR_FEW; i++) { total += pairFew[i]; }
  return total;
}
