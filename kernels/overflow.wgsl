//! overflow: how many elements of a tensor are not finite, added to what was found before
//! found[slot, g] += number of x[i] whose exponent is all ones, i of workgroup g; infinities are what f16 lacks
//!
//! in     x      [N]     T/4
//! inout  found  [S, G]  u32   one word a workgroup, so that counts need no atomics
//! param  slot   u32
//! tune   WG = 256           8 | 256
//! grid   G
//! flops  0
//! touch  found G
//! lib    reduce
//! limit  N <= 4294967295
//! ref    tests/ref/overflow.ts

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let step = p.G * WG;
  var bad: vec4u = vec4u();
  for (var i = wg.x * WG + lane; i * 4u < p.N; i += step) {
    //!if vec=4
    let v = x_load4(i * 4u);
    //!else
    let at = vec4u(i * 4u) + vec4u(0u, 1u, 2u, 3u);
    let last = p.N - 1u;
    let all = vec4f(x_load(min(at.x, last)), x_load(min(at.y, last)), x_load(min(at.z, last)), x_load(min(at.w, last)));
    let v = select(vec4f(), all, at <= vec4u(last));
    //!end
    bad += select(vec4u(), vec4u(1u), (bitcast<vec4u>(v) & vec4u(0x7f800000u)) == vec4u(0x7f800000u));
  }
  let total = reduceSum(f32(bad.x + bad.y + bad.z + bad.w), lane);
  if (lane == 0u) { found[p.slot * p.G + wg.x] += u32(total); }
}
