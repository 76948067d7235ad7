/** AdamW in float64 with clipping and skipping, from the formula. */

/** State after a step, in the order of the kernel. */
export interface AdamwRef {
  w: Float64Array;
  m: Float64Array;
  v: Float64Array;
  state: Float64Array;
  scale: Float64Array | undefined;
}

/** One step; `hyper` holds rows of learning-rate scale and weight decay, `lr` a learning rate for each row. */
export function adamwRef(
  a: {
    w: Float64Array;
    grad: Float64Array;
    m: Float64Array;
    v: Float64Array;
    state: Float64Array;
    scale: Float64Array | undefined;
  },
  group: (i: number) => number,
  hyper: ArrayLike<number>,
  lr: ArrayLike<number>,
  o: {
    beta1: number;
    beta2: number;
    eps: number;
    clip: number;
    interval: number;
    least: number;
    most: number;
  },
): AdamwRef {
  let square = 0;
  for (const g of a.grad) square += g * g;
  const by = a.scale?.[0] ?? 1;
  const ok = a.grad.every((g) => Math.abs(g) < 2 ** 48);
  const norm = ok ? Math.sqrt(square) / by : NaN;
  const t = a.state[3]! + (ok ? 1 : 0);
  const factor = (o.clip > 0 ? Math.min(1, o.clip / (norm + 1e-6)) : 1) / by;
  const c1 = 1 - o.beta1 ** t;
  const c2 = 1 - o.beta2 ** t;
  const w = a.w.slice();
  const m = a.m.slice();
  const v = a.v.slice();
  if (ok) {
    for (let i = 0; i < w.length; i++) {
      const g = a.grad[i]! * factor;
      const rate = lr[group(i)]! * hyper[group(i) * 2]!;
      m[i] = o.beta1 * m[i]! + (1 - o.beta1) * g;
      v[i] = o.beta2 * v[i]! + (1 - o.beta2) * g * g;
      w[i]! *= 1 - rate * hyper[group(i) * 2 + 1]!;
      w[i]! -= rate * (m[i]! / c1) / (Math.sqrt(v[i]! / c2) + o.eps);
    }
  }
  let scale: Float64Array | undefined;
  if (a.scale) {
    const clean = ok ? a.scale[1]! + 1 : 0;
    const next = !ok ? by / 2 : clean === o.interval ? by * 2 : by;
    scale = Float64Array.of(Math.min(o.most, Math.max(o.least, next)), clean === o.interval ? 0 : clean);
  }
  return {
    w,
    m,
    v,
    scale,
    state: Float64Array.of(ok ? norm : Infinity, ok ? factor : 0, ok ? 1 : 0, t, a.state[4]! + (ok ? 0 : 1), c1, c2, 0),
  };
}
