/**
 * Sampled elements of kernels in f64, from the formulas of their cards: products with all that may follow them, attention,
 * normalisation of rows. Every element of a tile's edges is among the samples, since tiles go wrong there.
 *
 * @module
 */

import type { Dispatch } from "../graph/plan.ts";
import { places, type Sample, type Sampler, type Values } from "./sample.ts";
import { AUGMENT } from "./samples_augment.ts";
import { ELEMENTS, FUNCTIONS } from "./samples_elements.ts";
import { MOVEMENT } from "./samples_movement.ts";
import { ROWS } from "./samples_rows.ts";
import { SEGMENTS } from "./samples_segments.ts";
import { TRAINING } from "./samples_training.ts";

const act1 = (name: string, v: number): number => (name === "none" ? v : FUNCTIONS[name]!(v, 0, 0));

/** Element [z, m, n] of the sums of a product, scaled. */
type Sums = (z: number, m: number, n: number) => number;

function sumsOf(layout: "nt" | "nn" | "tn", values: Values, { dims, options }: Dispatch): Sums {
  const { M = 0, N = 0, K = 0, R = 0 } = dims;
  const alpha = options["alpha"] as number;
  const [a, b, h, e] = [values["a"]!, values["b"]!, values["h"], values["e"]];
  const left = layout === "tn"
    ? (z: number, m: number, k: number) => a[(z * K + k) * M + m]!
    : (z: number, m: number, k: number) => a[(z * M + m) * K + k]!;
  const right = layout === "nt"
    ? (z: number, k: number, n: number) => b[(z * N + n) * K + k]!
    : (z: number, k: number, n: number) => b[(z * K + k) * N + n]!;
  return (z, m, n) => {
    let sum = 0;
    for (let k = 0; k < K; k++) sum += left(z, m, k) * right(z, k, n);
    if (h && e) {
      for (let r = 0; r < R; r++) sum += h[m * R + r]! * (layout === "nt" ? e[n * R + r]! : e[r * N + n]!);
    }
    return alpha * sum;
  };
}

/** Samples of what may follow the sums `[M, N]`, for `y` and `pre`. */
function epilogue(values: Values, { dims, variant }: Dispatch, sums: Sums): Sample[] {
  const { M = 0, N = 0, B = 1 } = dims;
  const { bias, gamma, residual, y, pre } = values;
  const act = variant.options["act"] ?? "none";
  const F = act === "swiglu" ? N / 2 : N;
  const before = (z: number, m: number, n: number): number => sums(z, m, n) + (bias ? bias[n]! : 0);
  const samples: Sample[] = [];
  const collect = (name: string, of: ArrayLike<number>, width: number, f: Sums): void => {
    const [got, right]: [number[], number[]] = [[], []];
    for (const z of places(B)) {
      for (const m of places(M)) {
        for (const n of places(width)) {
          got.push(of[(z * M + m) * width + n]!);
          right.push(f(z, m, n));
        }
      }
    }
    samples.push({ name, got, right });
  };
  if (pre) collect("pre", pre, N, before);
  if (y) {
    collect("y", y, F, (z, m, n) => {
      const value = act === "swiglu" ? act1("silu", before(z, m, n)) * before(z, m, F + n) : act1(act, before(z, m, n));
      return (residual ? residual[m * F + n]! : 0) + (gamma ? gamma[n]! : 1) * value;
    });
  }
  return samples;
}

function product(layout: "nt" | "nn" | "tn"): (values: Values, dispatch: Dispatch) => Sample[] {
  return (values, dispatch) => {
    const sums = sumsOf(layout, values, dispatch);
    const { part } = values;
    if (!part) return epilogue(values, dispatch, sums);
    // Slices of the reduction: only their sum is known.
    const { M = 0, N = 0, B = 1, Z = 1 } = dispatch.dims;
    const slices = Z / B;
    const [got, right]: [number[], number[]] = [[], []];
    for (const m of places(M)) {
      for (const n of places(N)) {
        let sum = 0;
        for (let s = 0; s < slices; s++) sum += part[(s * M + m) * N + n]!;
        got.push(sum);
        right.push(sums(0, m, n));
      }
    }
    return [{ name: "part", got, right }];
  };
}

function reduced(values: Values, dispatch: Dispatch): Sample[] {
  const { M = 0, N = 0, S = 1 } = dispatch.dims;
  const part = values["part"]!;
  return epilogue(values, dispatch, (_, m, n) => {
    let sum = 0;
    for (let s = 0; s < S; s++) sum += part[(s * M + m) * N + n]!;
    return sum;
  });
}

function attention(values: Values, { dims, options, variant }: Dispatch): Sample[] {
  const { B = 1, Bq = 1, Nq = 0, Nk = 0, QC = 0, KC = 0, D = 0 } = dims;
  const { q, kv, o } = values as Record<"q" | "kv" | "o", ArrayLike<number>>;
  const [first, scale] = [options["first"] as number, options["scale"] as number];
  const E = 4 * variant.tune["E4"]!;
  const [got, right]: [number[], number[]] = [[], []];
  for (const b of places(B).slice(0, 3)) {
    for (const head of places(D / E)) {
      for (const i of places(Nq)) {
        const row = ((Bq === 1 ? 0 : b) * Nq + i) * QC + head * E;
        const scores = Array.from({ length: Nk }, (_, j) => {
          let sum = 0;
          for (let c = 0; c < E; c++) sum += q[row + c]! * kv[(b * Nk + j) * KC + first + head * E + c]!;
          return scale * sum;
        });
        const most = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - most));
        const total = weights.reduce((a, w) => a + w, 0);
        for (const c of [0, E - 1]) {
          let sum = 0;
          for (let j = 0; j < Nk; j++) sum += weights[j]! * kv[(b * Nk + j) * KC + first + D + head * E + c]!;
          got.push(o[(b * Nq + i) * D + head * E + c]!);
          right.push(sum / total);
        }
      }
    }
  }
  return [{ name: "o", got, right }];
}

function layernorm(values: Values, { dims, options }: Dispatch): Sample[] {
  const { M = 0, D = 0 } = dims;
  const { x, y, gamma, beta } = values;
  const [got, right]: [number[], number[]] = [[], []];
  for (const m of places(M)) {
    let [mean, square] = [0, 0];
    for (let d = 0; d < D; d++) mean += x![m * D + d]! / D;
    for (let d = 0; d < D; d++) square += (x![m * D + d]! - mean) ** 2 / D;
    const scale = 1 / Math.sqrt(square + (options["eps"] as number));
    for (const d of places(D)) {
      got.push(y![m * D + d]!);
      right.push((x![m * D + d]! - mean) * scale * (gamma ? gamma[d]! : 1) + (beta ? beta[d]! : 0));
    }
  }
  return [{ name: "y", got, right }];
}

const SAMPLERS: Readonly<Record<string, Sampler>> = {
  ...AUGMENT,
  ...ELEMENTS,
  ...MOVEMENT,
  ...ROWS,
  ...SEGMENTS,
  ...TRAINING,
  matmul_nt: product("nt"),
  matmul_nn: product("nn"),
  matmul_tn: product("tn"),
  matmul_reduce: reduced,
  attention_fwd: attention,
  layernorm_fwd: layernorm,
};

/** Kernels whose elements are sampled, without those of the same interface. */
export const SAMPLED: readonly string[] = Object.keys(SAMPLERS);

/** Samples of a kernel, or of one of the same interface; undefined where there are none. */
export function samplerOf(kernel: string): Sampler | undefined {
  return SAMPLERS[kernel.replace(/_(flat|tall|matrix)$/, "")];
}
