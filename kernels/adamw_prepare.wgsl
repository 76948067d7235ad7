//! adamw_prepare: gradient norm, clip factor, whether the step counts, and bias corrections, all left on the device
//! norm = sqrt(sum_s part[s]) / S, factor = min(1, clip / (norm + 1e-6)) / S, t = t + ok, corr = 1 - beta^t
//! S = 1, or the loss scale: doubled after `interval` steps in a row that counted, halved after one that did not
//!
//! in     part   [S]   f32   sums of squares
//! inout  state  [8]   f32   norm, factor, ok, t, skipped, corr1, corr2, 0
//! inout? scale  [2]  f32   S, steps that counted since it last changed
//! param  clip   f32         0 switches clipping off
//! param  log_beta1  f32
//! param  log_beta2  f32
//! param  interval   f32
//! param  least      f32     limits of S
//! param  most       f32
//! tune   WG = 64            64 | 256
//! grid   1
//! flops  S
//! lib    reduce gradient_range root
//! ref    tests/ref/adamw.ts

// 1 - exp(x) for x <= 0 without cancellation near zero.
fn oneMinusExp(x: f32) -> f32 {
  if (x < -0.3) { return 1.0 - exp(x); }
  return -x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0)))));
}

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  var s: f32 = 0.0;
  var most: u32 = 0u;
  for (var i = lane; i < p.S; i += WG) {
    most = max(most, magnitude(part[i]));
    s += orZero(part[i]);
  }
  let total = reduceSum(s, lane);
  let kind = reduceMax(numberKind(most), lane);
  if (lane != 0u) { return; }
  let ok = kind == 0.0;
  //!if scale
  let by = scale[0];
  //!else
  let by = 1.0;
  //!end
  let norm = root(total) / by;
  let t = state[3] + select(0.0, 1.0, ok);
  state[0] = marked(norm, kind);
  state[1] = select(0.0, select(1.0, min(1.0, p.clip / (norm + 1e-6)), p.clip > 0.0) / by, ok);
  state[2] = select(0.0, 1.0, ok);
  state[3] = t;
  state[4] = state[4] + select(1.0, 0.0, ok);
  state[5] = oneMinusExp(t * p.log_beta1);
  state[6] = oneMinusExp(t * p.log_beta2);
  //!if scale
  let clean = select(0.0, scale[1] + 1.0, ok);
  let grow = clean >= p.interval;
  scale[0] = clamp(select(select(by * 0.5, by, ok), by * 2.0, grow), p.least, p.most);
  scale[1] = select(clean, 0.0, grow);
  //!end
}
