//! batchnorm_bwd: gradients of batch normalisation, RL invocations a column
//! dx = rstd * gamma * (dy - mean_m(dy) - xh * mean_m(dy * xh)), eval: rstd * gamma * dy; dgamma = sum_m(dy * xh), dbeta = sum_m(dy)
//!
//! in      x       [M, D]   T
//! in?     gamma   [D]      f32
//! in      stats   [2, D]   f32   mean, rstd; xh = (x - mean) * rstd
//! in      dy      [M, D]   T
//! out?    dx      [M, D]   T
//! out?    dgamma  [D]      f32
//! out?    dbeta   [D]      f32
//! option  mode    train | eval   train: mean and rstd depend on x
//! tune    WG = 64                8 | 64
//! tune    RL = 8                 1 | 8   invocations that share the rows of a column; 1 without barriers
//! lib     column_sums
//! grid    ceil(D*RL/WG)
//! flops   9*M*D
//! ref     tests/ref/batchnorm.ts

fn fourX(i: vec4u) -> vec4f { return vec4f(f32(x[i.x]), f32(x[i.y]), f32(x[i.z]), f32(x[i.w])); }

fn fourDy(i: vec4u) -> vec4f { return vec4f(f32(dy[i.x]), f32(dy[i.y]), f32(dy[i.z]), f32(dy[i.w])); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = wg.x * (WG / RL) + lane % (WG / RL);
  // Past the last column the last one again: all invocations of a workgroup meet at its barriers.
  let d = min(column, p.D - 1u);
  let first = d + lane / (WG / RL) * p.D;
  let next = RL * p.D;
  let end = p.M * p.D;
  let mean = stats[d];
  let rstd = stats[p.D + d];
  // Four chains hide the latency of the loads.
  var bs = vec4f();
  var cs = vec4f();
  var i = first;
  for (; i + 3u * next < end; i += 4u * next) {
    let rows = i + vec4u(0u, next, 2u * next, 3u * next);
    let g = fourDy(rows);
    bs += g;
    cs += g * ((fourX(rows) - mean) * rstd);
  }
  for (; i < end; i += next) {
    let g = f32(dy[i]);
    bs.x += g;
    cs.x += g * ((f32(x[i]) - mean) * rstd);
  }
  let b = columnSum((bs.x + bs.y) + (bs.z + bs.w), lane);
  let c = columnSum((cs.x + cs.y) + (cs.z + cs.w), lane);
  if (column >= p.D) { return; }
  //!if dx
  var scale = rstd;
  //!if gamma
  scale *= gamma[d];
  //!end
  for (i = first; i < end; i += next) {
    //!if mode=train
    let xh = (f32(x[i]) - mean) * rstd;
    dx[i] = narrow(scale * (f32(dy[i]) - (b + xh * c) / f32(p.M)));
    //!else
    dx[i] = narrow(scale * f32(dy[i]));
    //!end
  }
  //!end
  if (first != d) { return; }
  //!if dgamma
  dgamma[d] = c;
  //!end
  //!if dbeta
  dbeta[d] = b;
  //!end
}
