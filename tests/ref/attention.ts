/** Multi-head attention in float64, from the formula, with the whole matrix of probabilities. */

/** Extents of one call: `q [B or 1, Nq, H * E]`, `k` and `v` `[B, Nk, H * E]`. */
export interface AttentionExtents {
  readonly B: number;
  readonly Nq: number;
  readonly Nk: number;
  readonly H: number;
  readonly E: number;
  readonly scale: number;
}

/** Parts `0 .. n` of the last dimension, `width` wide each. */
export function unpack(x: Float64Array, n: number, width: number): Float64Array[] {
  const rows = x.length / (n * width);
  return Array.from({ length: n }, (_, part) => {
    const y = new Float64Array(rows * width);
    for (let r = 0; r < rows; r++) {
      for (let d = 0; d < width; d++) y[r * width + d] = x[(r * n + part) * width + d]!;
    }
    return y;
  });
}

/** Inverse of {@linkcode unpack}. */
export function pack(parts: readonly Float64Array[], width: number): Float64Array {
  const rows = parts[0]!.length / width;
  const y = new Float64Array(rows * width * parts.length);
  parts.forEach((part, n) => {
    for (let r = 0; r < rows; r++) {
      for (let d = 0; d < width; d++) y[(r * parts.length + n) * width + d] = part[r * width + d]!;
    }
  });
  return y;
}

/** Row `i` of the probabilities of head `h`; `q0` is where its query begins. */
function probabilities(q: Float64Array, q0: number, k: Float64Array, b: number, h: number, x: AttentionExtents) {
  const { Nk, H, E, scale } = x;
  const p = new Float64Array(Nk);
  let top = -Infinity;
  for (let j = 0; j < Nk; j++) {
    for (let e = 0; e < E; e++) p[j]! += scale * q[q0 + e]! * k[(b * Nk + j) * H * E + h * E + e]!;
    top = Math.max(top, p[j]!);
  }
  let sum = 0;
  for (let j = 0; j < Nk; j++) sum += p[j] = Math.exp(p[j]! - top);
  for (let j = 0; j < Nk; j++) p[j]! /= sum;
  return p;
}

/** Output `[B, Nq, H * E]`. */
export function attentionRef(q: Float64Array, k: Float64Array, v: Float64Array, x: AttentionExtents): Float64Array {
  const { B, Nq, Nk, H, E } = x;
  const D = H * E;
  const shared = q.length < B * Nq * D;
  const o = new Float64Array(B * Nq * D);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      for (let i = 0; i < Nq; i++) {
        const p = probabilities(q, ((shared ? 0 : b) * Nq + i) * D + h * E, k, b, h, x);
        for (let j = 0; j < Nk; j++) {
          for (let e = 0; e < E; e++) o[(b * Nq + i) * D + h * E + e]! += p[j]! * v[(b * Nk + j) * D + h * E + e]!;
        }
      }
    }
  }
  return o;
}

/** Gradients of q, k and v by the formula: ds = p * (dp - sum_j p dp). */
export function attentionGradRef(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  dy: Float64Array,
  x: AttentionExtents,
): [dq: Float64Array, dk: Float64Array, dv: Float64Array] {
  const { B, Nq, Nk, H, E, scale } = x;
  const D = H * E;
  const shared = q.length < B * Nq * D;
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      for (let i = 0; i < Nq; i++) {
        const q0 = ((shared ? 0 : b) * Nq + i) * D + h * E;
        const y0 = (b * Nq + i) * D + h * E;
        const p = probabilities(q, q0, k, b, h, x);
        const dp = new Float64Array(Nk);
        let mean = 0;
        for (let j = 0; j < Nk; j++) {
          const k0 = (b * Nk + j) * D + h * E;
          for (let e = 0; e < E; e++) dp[j]! += dy[y0 + e]! * v[k0 + e]!;
          mean += p[j]! * dp[j]!;
        }
        for (let j = 0; j < Nk; j++) {
          const k0 = (b * Nk + j) * D + h * E;
          const ds = scale * p[j]! * (dp[j]! - mean);
          for (let e = 0; e < E; e++) {
            dq[q0 + e]! += ds * k[k0 + e]!;
            dk[k0 + e]! += ds * q[q0 + e]!;
            dv[k0 + e]! += p[j]! * dy[y0 + e]!;
          }
        }
      }
    }
  }
  return [dq, dk, dv];
}
