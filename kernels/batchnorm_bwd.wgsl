//! batchnorm_bwd: gradients of batch normalisation, one invocation a column
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
//! tune    WG = 64                8 | 32 | 64
//! grid    ceil(D/WG)
//! flops   9*M*D
//! ref     tests/ref/batchnorm.ts

fn fourX(i: u32) -> vec4f { return vec4f(f32(x[i]), f32(x[i + p.D]), f32(x[i + 2u * p.D]), f32(x[i + 3u * p.D])); }

fn fourDy(i: u32) -> vec4f { return vec4f(f32(dy[i]), f32(dy[i + p.D]), f32(dy[i + 2u * p.D]), f32(dy[i + 3u * p.D])); }

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let d = wg.x * WG + lane;
  if (d >= p.D) { return; }
  let end = p.M * p.D;
  let mean = stats[d];
  let rstd = stats[p.D + d];
  // Four chains hide the latency of the loads.
  var bs = vec4f();
  var cs = vec4f();
  var i = d;
  for (; i + 3u * p.D < end; i += 4u * p.D) {
    let g = fourDy(i);
    bs += g;
    cs += g * ((fourX(i) - mean) * rstd);
  }
  for (; i < end; i += p.D) {
    let g = f32(dy[i]);
    bs.x += g;
    cs.x += g * ((f32(x[i]) - mean) * rstd);
  }
  let b = (bs.x + bs.y) + (bs.z + bs.w);
  let c = (cs.x + cs.y) + (cs.z + cs.w);
  //!if dx
  var scale = rstd;
  //!if gamma
  scale *= gamma[d];
  //!end
  for (i = d; i < end; i += p.D) {
    //!if mode=train
    let xh = (f32(x[i]) - mean) * rstd;
    dx[i] = narrow(scale * (f32(dy[i]) - (b + xh * c) / f32(p.M)));
    //!else
    dx[i] = narrow(scale * f32(dy[i]));
    //!end
  }
  //!end
  //!if dgamma
  dgamma[d] = c;
  //!end
  //!if dbeta
  dbeta[d] = b;
  //!end
}
