// Reductions over a workgroup of WG (a power of two) invocations; every invocation gets the result. Two barriers, not
// log2(WG): a few invocations fold what all have written, then every invocation folds theirs.
// All invocations of the workgroup must call them, and may call them again at once.

const REDUCE_FEW: u32 = min(WG, 8u);
var<workgroup> reduceAll: array<f32, WG>;
var<workgroup> reduceFew: array<f32, REDUCE_FEW>;

fn reduceSum(value: f32, lane: u32) -> f32 {
  reduceAll[lane] = value;
  workgroupBarrier();
  if (lane < REDUCE_FEW) {
    var s: f32 = 0.0;
    for (var i = lane; i < WG; i += REDUCE_FEW) { s += reduceAll[i]; }
    reduceFew[lane] = s;
  }
  workgroupBarrier();
  var total: f32 = 0.0;
  for (var i = 0u; i < REDUCE_FEW; i++) { total += reduceFew[i]; }
  return total;
}

fn reduceMax(value: f32, lane: u32) -> f32 {
  reduceAll[lane] = value;
  workgroupBarrier();
  if (lane < REDUCE_FEW) {
    var most = value;
    for (var i = lane; i < WG; i += REDUCE_FEW) { most = max(most, reduceAll[i]); }
    reduceFew[lane] = most;
  }
  workgroupBarrier();
  var most = reduceFew[0];
  for (var i = 1u; i < REDUCE_FEW; i++) { most = max(most, reduceFew[i]); }
  return most;
}
