// Softmax of four elements once the largest element and the sum of exponentials are known.

// Never minus infinity, so that a row of nothing but minus infinity has differences: its exponentials are zero.
const LOWEST: f32 = -0x1.fffffep+127f;

fn max4(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }

fn softmaxOf(v: vec4f, top: f32, total: f32) -> vec4f {
  //!if form=logs
  return p.scale * (v - top) - select(0.0, log(total), total > 0.0);
  //!else
  return exp(p.scale * (v - top)) * select(0.0, 1.0 / total, total > 0.0);
  //!end
}
