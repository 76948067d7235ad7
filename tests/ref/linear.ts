/** Linear layer with LoRA, activation, LayerScale and residual in float64, and its gradients, from the formulas. */

/** Extents and options of a layer. */
export interface LinearSpec {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly R: number;
  readonly act: "none" | "gelu" | "silu" | "swiglu";
  readonly scale: number;
  /** What is kept in between goes through this: inner activations of LoRA, and in backward what depends on a gradient. */
  readonly round?: (x: number) => number;
}

const same = (x: number): number => x;

/** erf by its Taylor series near zero and its continued fraction elsewhere; good to 1e-15. */
export function erf(x: number): number {
  const t = Math.abs(x);
  if (t < 2.5) {
    let term = t;
    let sum = t;
    for (let n = 1; n < 80; n++) {
      term *= -t * t / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * sum * 2 / Math.sqrt(Math.PI);
  }
  let f = 0;
  for (let n = 60; n > 0; n--) f = n / 2 / (t + f);
  return Math.sign(x) * (1 - Math.exp(-t * t) / Math.sqrt(Math.PI) / (t + f));
}

const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
const geluSlope = (x: number): number =>
  0.5 * (1 + erf(x / Math.SQRT2)) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const silu = (x: number): number => x * sigmoid(x);
const siluSlope = (x: number): number => sigmoid(x) * (1 + x * (1 - sigmoid(x)));

/** Value before the activation, `[M, N]`, and the scaled inner LoRA activations, `[M, R]`. */
function before(
  a: Record<string, Float64Array>,
  { M, N, K, R, scale, round = same }: LinearSpec,
): { z: Float64Array; h: Float64Array } {
  const z = new Float64Array(M * N);
  const h = new Float64Array(M * R);
  const xl = a.xl ?? a.x!;
  for (let m = 0; m < M; m++) {
    for (let r = 0; r < R; r++) {
      for (let k = 0; k < K; k++) h[m * R + r]! += scale * xl[m * K + k]! * a.la![r * K + k]!;
      h[m * R + r] = round(h[m * R + r]!);
    }
    for (let n = 0; n < N; n++) {
      let sum = a.bias ? a.bias[n]! : 0;
      for (let k = 0; k < K; k++) sum += a.x![m * K + k]! * a.weight![n * K + k]!;
      for (let r = 0; r < R; r++) sum += h[m * R + r]! * a.lb![n * R + r]!;
      z[m * N + n] = sum;
    }
  }
  return { z, h };
}

/** y = residual + gamma * act(x Wᵀ + s (xl Aᵀ) Bᵀ + bias). */
export function linearRef(a: Record<string, Float64Array>, spec: LinearSpec): Float64Array {
  const { M, N, act } = spec;
  const F = act === "swiglu" ? N / 2 : N;
  const { z } = before(a, spec);
  const y = new Float64Array(M * F);
  for (let m = 0; m < M; m++) {
    for (let f = 0; f < F; f++) {
      const v = z[m * N + f]!;
      let u = v;
      if (act === "gelu") u = gelu(v);
      if (act === "silu") u = silu(v);
      if (act === "swiglu") u = silu(v) * z[m * N + F + f]!;
      y[m * F + f] = (a.residual ? a.residual[m * F + f]! : 0) + (a.gamma ? a.gamma[f]! : 1) * u;
    }
  }
  return y;
}

/** Gradients of sum(dy * y) with respect to everything in `a`. */
export function linearGradRef(
  a: Record<string, Float64Array>,
  dy: Float64Array,
  spec: LinearSpec,
): Record<string, Float64Array> {
  const { M, N, K, R, act, scale, round = same } = spec;
  const F = act === "swiglu" ? N / 2 : N;
  const { z: exact, h } = before(a, spec);
  // Backward reads what is kept of the values before the activation; where dz is dy, nothing is.
  const [z, kept] = act === "none" && !a.gamma ? [exact, same] : [exact.map(round), round];
  const d = Object.fromEntries(Object.entries(a).map(([name, v]) => [name, new Float64Array(v.length)]));
  const dz = new Float64Array(M * N);
  for (let m = 0; m < M; m++) {
    for (let f = 0; f < F; f++) {
      const g = dy[m * F + f]!;
      const v = z[m * N + f]!;
      const w = z[m * N + F + f]!;
      const scaled = g * (a.gamma ? a.gamma[f]! : 1);
      let u = v;
      let slope = 1;
      if (act === "gelu") [u, slope] = [gelu(v), geluSlope(v)];
      if (act === "silu") [u, slope] = [silu(v), siluSlope(v)];
      if (act === "swiglu") {
        [u, slope] = [silu(v) * w, siluSlope(v) * w];
        dz[m * N + F + f] = kept(scaled * silu(v));
      }
      dz[m * N + f] = kept(scaled * slope);
      if (d.gamma) d.gamma[f]! += g * u;
      if (d.residual) d.residual[m * F + f] = g;
    }
  }
  const xl = a.xl ?? a.x!;
  const dxl = d.xl ?? d.x!;
  for (let m = 0; m < M; m++) {
    const dh = new Float64Array(R);
    for (let n = 0; n < N; n++) {
      const g = dz[m * N + n]!;
      if (d.bias) d.bias[n]! += g;
      for (let k = 0; k < K; k++) {
        d.x![m * K + k]! += g * a.weight![n * K + k]!;
        d.weight![n * K + k]! += g * a.x![m * K + k]!;
      }
      for (let r = 0; r < R; r++) {
        dh[r]! += scale * g * a.lb![n * R + r]!;
        d.lb![n * R + r]! += g * h[m * R + r]!;
      }
    }
    for (let r = 0; r < R; r++) {
      dh[r] = round(dh[r]!);
      for (let k = 0; k < K; k++) {
        dxl[m * K + k]! += dh[r]! * a.la![r * K + k]!;
        d.la![r * K + k]! += dh[r]! * xl[m * K + k]!;
      }
    }
  }
  return d;
}
