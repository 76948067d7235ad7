// Tree reductions over a workgroup of WG (a power of two) invocations; every invocation gets the result.
// All invocations of the workgroup must call them, and may call them again at once.

var<workgroup> reduceScratch: array<f32, WG>;

fn reduceSum(value: f32, lane: u32) -> f32 {
  reduceScratch[lane] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half = half >> 1u) {
    if (lane < half) { reduceScratch[lane] += reduceScratch[lane + half]; }
    workgroupBarrier();
  }
  let total = reduceScratch[0];
  workgroupBarrier();
  return total;
}

fn reduceMax(value: f32, lane: u32) -> f32 {
  reduceScratch[lane] = value;
  workgroupBarrier();
  for (var half = WG / 2u; half > 0u; half = half >> 1u) {
    if (lane < half) { reduceScratch[lane] = max(reduceScratch[lane], reduceScratch[lane + half]); }
    workgroupBarrier();
  }
  let most = reduceScratch[0];
  workgroupBarrier();
  return most;
}
