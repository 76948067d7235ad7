// Softmax of four elements once the largest element and the sum of exponentials are known; needs logits and logarithm.

// exp(scale (x - top)); `reach` keeps the product finite.
fn weight4(x: vec4f, top: f32) -> vec4f { return power4(p.scale * max(x - top, vec4f(p.reach))); }

// What a sum is worth after the top has moved: exactly 1 where it has not, since exp(0) may be 3 units off at every step.
fn weight(x: f32, top: f32) -> f32 { return select(weight4(vec4f(x), top).x, 1.0, x == top); }

// What a row shares: 1 / sum or its logarithm, and bits that make its elements NaN. A row of masked elements alone is zeros.
struct Row { top: f32, sum: f32, mark: u32 }

fn rowOf(top: f32, total: f32) -> Row {
  let some = top > LEAST;
  //!if form=logs
  let sum = log4(vec4f(max(total, 1.0))).x;
  //!else
  let sum = select(0.0, 1.0 / max(total, 1.0), some);
  //!end
  return Row(top, sum, select(0u, 0x7fc00000u, total >= BROKEN));
}

fn softmaxOf(v: vec4f, row: Row) -> vec4f {
  let x = finite4(v);
  //!if form=logs
  // Minus infinity where the element is masked, or beyond what f32 has.
  let d = x - row.top;
  let none = (x == vec4f(LEAST)) | (d < vec4f(p.far));
  let y = bitcast<vec4u>(p.scale * max(d, vec4f(p.far)) - row.sum);
  return bitcast<vec4f>(select(y, vec4u(0xff800000u), none) | vec4u(row.mark));
  //!else
  return bitcast<vec4f>(bitcast<vec4u>(weight4(x, row.top) * row.sum) | vec4u(row.mark));
  //!end
}
