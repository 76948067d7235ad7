/** What models of volumes compute, in float64, from the formulas. */

import { layernormRef } from "./layernorm.ts";
import { matmulRef } from "./matmul.ts";
import { patchEmbedRef, type PatchEmbedShape } from "./patch_embed.ts";

/** Extents of an attention: heads of width E. */
export interface MaskedExtents {
  readonly B: number;
  readonly Nq: number;
  readonly Nk: number;
  readonly H: number;
  readonly E: number;
}

/** `q [B or 1, Nq, HE]`, `kv [B, Nk, 2HE]`, `mask [B, Nk]`. */
export function maskedAttentionRef(
  q: Float64Array,
  kv: Float64Array,
  mask: Float64Array,
  { B, Nq, Nk, H, E }: MaskedExtents,
): Float64Array {
  const D = H * E;
  const shared = q.length < B * Nq * D;
  const y = new Float64Array(B * Nq * D);
  for (let b = 0; b < B; b++) {
    for (let i = 0; i < Nq; i++) {
      for (let h = 0; h < H; h++) {
        const at = ((shared ? 0 : b) * Nq + i) * D + h * E;
        const scores = Array.from({ length: Nk }, (_, j) => {
          let dot = 0;
          for (let e = 0; e < E; e++) dot += q[at + e]! * kv[(b * Nk + j) * 2 * D + h * E + e]!;
          return dot / Math.sqrt(E) + mask[b * Nk + j]!;
        });
        const top = Math.max(...scores);
        const sum = scores.reduce((all, s) => all + Math.exp(s - top), 0);
        scores.forEach((s, j) => {
          const p = Math.exp(s - top) / sum;
          for (let e = 0; e < E; e++) y[(b * Nq + i) * D + h * E + e]! += p * kv[(b * Nk + j) * 2 * D + D + h * E + e]!;
        });
      }
    }
  }
  return y;
}

/** x W^T + b for rows of `x`. */
export function dense(x: Float64Array, w: Float64Array, bias: Float64Array): Float64Array {
  const N = bias.length;
  const K = w.length / N;
  const M = x.length / K;
  const y = new Float64Array(M * N);
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      y[m * N + n] = bias[n]!;
      for (let k = 0; k < K; k++) y[m * N + n]! += x[m * K + k]! * w[n * K + k]!;
    }
  }
  return y;
}

/** The pooler: LN(out(attention(q(LN(query)), kv(LN(tokens))))). */
export function poolRef(
  a: Record<string, Float64Array>,
  { B, N, W, H }: { B: number; N: number; W: number; H: number },
): Float64Array {
  const q = dense(layernormRef(a.query!, a.gq!, a.bq!, 1e-5), a.wq!, a.cq!);
  const kv = dense(layernormRef(a.tokens!, a.gk!, a.bk!, 1e-5), a.wk!, a.ck!);
  const o = maskedAttentionRef(q, kv, a.mask!, { B, Nq: 1, Nk: N, H, E: W / H });
  return layernormRef(dense(o, a.wo!, a.co!), a.go!, a.bo!, 1e-5);
}

/** Tubelets `[B, Z, H, W, 3]` by weights `[t, D, 3, P, P]`. */
export function tubeletRef(
  x: Float64Array,
  w: Float64Array,
  bias: Float64Array,
  { B, Z, t, ...shape }: Omit<PatchEmbedShape, "B"> & { B: number; Z: number; t: number },
): Float64Array {
  const { H, W, D } = shape;
  const pixels = H * W * 3;
  const out: number[] = [];
  for (let b = 0; b < B; b++) {
    for (let z = 0; z < Z; z += t) {
      const parts = Array.from({ length: t }, (_, i) =>
        patchEmbedRef(
          x.subarray((b * Z + z + i) * pixels, (b * Z + z + i + 1) * pixels),
          w.subarray(i * w.length / t, (i + 1) * w.length / t),
          undefined,
          { ...shape, B: 1 },
        ));
      parts[0]!.forEach((_, k) => out.push(bias[k % D]! + parts.reduce((sum, part) => sum + part[k]!, 0)));
    }
  }
  return Float64Array.from(out);
}

/** sum M (y - x)^2 / sum M. */
export function maskedMseRef(y: Float64Array, x: Float64Array, mask: Float64Array): Float64Array {
  let [sum, count] = [0, 0];
  y.forEach((value, i) => {
    sum += mask[i]! * (value - x[i]!) ** 2;
    count += mask[i]!;
  });
  return Float64Array.of(count > 0 ? sum / count : 0);
}

/** CLIP with a mask; `logScale` is bounded before its exponential is taken. */
export function maskedClipRef(
  a: Float64Array,
  c: Float64Array,
  logScale: number,
  mask: Float64Array,
  { least, most }: { least: number; most: number },
): Float64Array {
  const B = Math.round(Math.sqrt(mask.length));
  const factor = Math.exp(Math.min(-Math.log(least), Math.max(-Math.log(most), logScale)));
  const dots = matmulRef(a, c, { B: 1, M: B, N: B, K: a.length / B, transB: true });
  const s = dots.map((value, i) => factor * value + mask[i]!);
  const lse = (of: number[]) => {
    const top = Math.max(...of);
    return top + Math.log(of.reduce((sum, value) => sum + Math.exp(value - top), 0));
  };
  let loss = 0;
  for (let i = 0; i < B; i++) {
    const row = Array.from({ length: B }, (_, j) => s[i * B + j]!);
    const column = Array.from({ length: B }, (_, j) => s[j * B + i]!);
    loss += (lse(row) + lse(column)) / 2 - s[i * B + i]!;
  }
  return Float64Array.of(loss / B);
}
