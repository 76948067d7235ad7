/** AdamW in float64 with clipping and skipping, from the formula. */

/** State after a step, in the order of the kernel. */
export interface AdamwRef {
  w: Float64Array;
  m: Float64Array;
  v: Float64Array;
  state: Float64Array;
}

/** One step; `hyper` holds rows of learning-rate scale and weight decay. */
export function adamwRef(
  a: { w: Float64Array; grad: Float64Array; m: Float64Array; v: Float64Array; state: Float64Array },
  group: (i: number) => number,
  hyper: ArrayLike<number>,
  lr: number,
  o: { beta1: number; beta2: number; eps: number; clip: number },
): AdamwRef {
  let square = 0;
  for (const g of a.grad) square += g * g;
  const norm = Math.sqrt(square);
  const ok = Number.isFinite(square);
  const t = a.state[3]! + (ok ? 1 : 0);
  const factor = o.clip > 0 ? Math.min(1, o.clip / (norm + 1e-6)) : 1;
  const c1 = 1 - o.beta1 ** t;
  const c2 = 1 - o.beta2 ** t;
  const w = a.w.slice();
  const m = a.m.slice();
  const v = a.v.slice();
  if (ok) {
    for (let i = 0; i < w.length; i++) {
      const g = a.grad[i]! * factor;
      const rate = lr * hyper[group(i) * 2]!;
      m[i] = o.beta1 * m[i]! + (1 - o.beta1) * g;
      v[i] = o.beta2 * v[i]! + (1 - o.beta2) * g * g;
      w[i]! *= 1 - rate * hyper[group(i) * 2 + 1]!;
      w[i]! -= rate * (m[i]! / c1) / (Math.sqrt(v[i]! / c2) + o.eps);
    }
  }
  return { w, m, v, state: Float64Array.of(norm, factor, ok ? 1 : 0, t, a.state[4]! + (ok ? 0 : 1), c1, c2, 0) };
}
