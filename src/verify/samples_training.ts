/**
 * Samples in f64 of kernels of the training step: gradients of attention and normalisation, contrastive loss, flows, sums, AdamW.
 *
 * @module
 */

import type { Dispatch } from "../graph/plan.ts";
import { places, type Sampler, Samples, spread, sum, type Values } from "./sample.ts";

const layernormInput: Sampler = (values, { dims }) => {
  const { M = 0, D = 1 } = dims;
  const { x, gamma, stats, dy, dx } = values as Record<"x" | "stats" | "dy" | "dx", ArrayLike<number>> & Values;
  const samples = new Samples();
  for (const m of places(M)) {
    const [mean, rstd] = [stats[2 * m]!, stats[2 * m + 1]!];
    const h = (d: number) => dy[m * D + d]! * (gamma ? gamma[d]! : 1);
    const xh = (d: number) => (x[m * D + d]! - mean) * rstd;
    const [a, b] = [sum(0, D, h) / D, sum(0, D, (d) => h(d) * xh(d)) / D];
    for (let d = 0; d < D; d++) {
      samples.add("dx", dx[m * D + d]!, rstd * (h(d) - a - xh(d) * b), rstd * h(d));
    }
  }
  return samples.list;
};

/** Parts of attention's gradient of one image and head: products of rows, weights and their gradients. */
function attentionParts(values: Values, { dims, options, variant }: Dispatch, b: number, head: number) {
  const { Bq = 1, Nq = 0, Nk = 0, QC = 0, KC = 0, D = 0, H = 1 } = dims;
  const { q, kv, dy, lse, delta } = values as Record<"q" | "kv" | "dy" | "lse" | "delta", ArrayLike<number>>;
  const E = 4 * variant.tune["E4"]!;
  const [first, scale] = [options["first"] as number, options["scale"] as number];
  const qAt = (i: number) => ((Bq === 1 ? 0 : b) * Nq + i) * QC + head * E;
  const kAt = (j: number) => (b * Nk + j) * KC + first + head * E;
  const dyAt = (i: number) => (b * Nq + i) * D + head * E;
  const row = (i: number) => (b * H + head) * Nq + i;
  const p = (i: number, j: number) =>
    Math.exp(scale * sum(0, E, (c) => q[qAt(i) + c]! * kv[kAt(j) + c]!) - lse[row(i)]!);
  /** The gradient of a score, and the size of the two terms that cancel in it. */
  const ds = (i: number, j: number): readonly [value: number, size: number] => {
    const e = sum(0, E, (c) => dy[dyAt(i) + c]! * kv[kAt(j) + D + c]!);
    const d = delta[row(i)]!;
    return [p(i, j) * (e - d), p(i, j) * (Math.abs(e) + Math.abs(d))];
  };
  return { E, scale, qAt, kAt, dyAt, p, ds };
}

function heads({ dims }: Dispatch): [b: number, head: number][] {
  return places(dims["B"]!).slice(0, 2).flatMap((b) =>
    places(dims["H"]!).slice(-2).map((head): [number, number] => [b, head])
  );
}

const attentionQuery: Sampler = (values, dispatch) => {
  const { Nq = 0, Nk = 0, QC = 0 } = dispatch.dims;
  const samples = new Samples();
  const name = values["part"] ? "part" : "dq";
  for (const [b, head] of heads(dispatch)) {
    const { E, scale, kAt, ds } = attentionParts(values, dispatch, b, head);
    for (const i of places(Nq)) {
      const row = Array.from({ length: Nk }, (_, j) => ds(i, j));
      for (const c of [0, E >> 1, E - 1]) {
        const k = (j: number) => values["kv"]![kAt(j) + c]!;
        const right = scale * sum(0, Nk, (j) => row[j]![0] * k(j));
        const size = scale * sum(0, Nk, (j) => row[j]![1] * Math.abs(k(j)));
        samples.add(name, values[name]![(b * Nq + i) * QC + head * E + c]!, right, size);
      }
    }
  }
  return samples.list;
};

const attentionKey: Sampler = (values, dispatch) => {
  const { Nq = 0, Nk = 0, D = 0 } = dispatch.dims;
  const { q, dy, dkv } = values as Record<"q" | "dy" | "dkv", ArrayLike<number>>;
  const samples = new Samples();
  for (const [b, head] of heads(dispatch)) {
    const { E, scale, qAt, kAt, dyAt, p, ds } = attentionParts(values, dispatch, b, head);
    for (const j of places(Nk)) {
      const column = Array.from({ length: Nq }, (_, i) => [p(i, j), ...ds(i, j)] as const);
      for (const c of [0, E >> 1, E - 1]) {
        const right = scale * sum(0, Nq, (i) => column[i]![1] * q[qAt(i) + c]!);
        const size = scale * sum(0, Nq, (i) => column[i]![2] * Math.abs(q[qAt(i) + c]!));
        samples.add("dkv, keys", dkv[kAt(j) + c]!, right, size);
        samples.add("dkv, values", dkv[kAt(j) + D + c]!, sum(0, Nq, (i) => column[i]![0] * dy[dyAt(i) + c]!));
      }
    }
  }
  return samples.list;
};

const attentionDelta: Sampler = (values, { dims }) => {
  const { Nq = 1, D = 1, H = 1 } = dims;
  const { o, dy, delta } = values as Record<"o" | "dy" | "delta", ArrayLike<number>>;
  const samples = new Samples();
  for (const at of spread(delta.length)) {
    const [i, h, b] = [at % Nq, Math.floor(at / Nq) % H, Math.floor(at / Nq / H)];
    const from = (b * Nq + i) * D + h * (D / H);
    samples.add("delta", delta[at]!, sum(from, from + D / H, (k) => dy[k]! * o[k]!));
  }
  return samples.list;
};

const batchnorm: Sampler = (values, { dims, options }) => {
  const { M = 1, D = 1 } = dims;
  const { x, y, gamma, beta, stats } = values as Record<"x" | "y", ArrayLike<number>> & Values;
  const momentum = options["momentum"] as number;
  const samples = new Samples();
  const running = (name: string, d: number, value: number): void => {
    const before = values[`${name}, before`];
    if (before) samples.add(name, values[name]![d]!, (1 - momentum) * before[d]! + momentum * value);
  };
  for (const d of places(D)) {
    const mean = sum(0, M, (m) => x[m * D + d]!) / M;
    const squares = sum(0, M, (m) => (x[m * D + d]! - mean) ** 2);
    const rstd = 1 / Math.sqrt(squares / M + (options["eps"] as number));
    for (let m = 0; m < M; m++) {
      const right = (x[m * D + d]! - mean) * rstd * (gamma ? gamma[d]! : 1) + (beta ? beta[d]! : 0);
      samples.add("y", y[m * D + d]!, right);
    }
    if (stats) samples.add("stats", stats[D + d]!, rstd);
    running("running_mean", d, mean);
    running("running_var", d, squares / (M - 1));
  }
  const seen = values["tracked, before"];
  if (seen) samples.add("tracked", values["tracked"]![0]!, seen[0]! + 1);
  return samples.list;
};

const batchnormGradient: Sampler = (values, { dims, variant }) => {
  const { M = 1, D = 1 } = dims;
  const { x, gamma, stats, dy, dx, dgamma, dbeta } = values as Record<"x" | "stats" | "dy", ArrayLike<number>> & Values;
  const train = variant.options["mode"] === "train";
  const samples = new Samples();
  for (const d of places(D)) {
    const rstd = stats[D + d]!;
    const xh = (m: number) => (x[m * D + d]! - stats[d]!) * rstd;
    const b = sum(0, M, (m) => dy[m * D + d]!);
    const c = sum(0, M, (m) => dy[m * D + d]! * xh(m));
    for (let m = 0; dx && m < M; m++) {
      const centred = dy[m * D + d]! - (train ? (b + xh(m) * c) / M : 0);
      const scale = rstd * (gamma ? gamma[d]! : 1);
      samples.add("dx", dx[m * D + d]!, scale * centred, scale * dy[m * D + d]!);
    }
    if (dgamma) samples.add("dgamma", dgamma[d]!, c);
    if (dbeta) samples.add("dbeta", dbeta[d]!, b);
  }
  return samples.list;
};

function logSumExp(terms: readonly number[]): number {
  const top = Math.max(...terms);
  return top + Math.log(terms.reduce((total, term) => total + Math.exp(term - top), 0));
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const nceRows: Sampler = (values, { dims, options }) => {
  const { R = 0, B = 1 } = dims;
  const samples = new Samples();
  for (const i of places(R)) {
    const right = logSumExp(range(B).map((j) => values["scale"]![0]! * values["s"]![i * B + j]!));
    samples.add("lse", values["lse"]![(options["at"] as number) + i]!, right);
  }
  return samples.list;
};

/** Top and sum mean their log-sum-exp, however they share it. */
const nceColumns: Sampler = (values, { dims, options }) => {
  const { R = 0, B = 1 } = dims;
  const [run, before] = [values["run"]!, values["run, before"]!];
  const samples = new Samples();
  for (const j of places(B)) {
    const terms = range(R).map((i) => values["scale"]![0]! * values["s"]![i * B + j]!);
    if ((options["at"] as number) > 0) terms.push(before[j]! + Math.log(before[B + j]!));
    samples.add("run", run[j]! + Math.log(run[B + j]!), logSumExp(terms));
  }
  return samples.list;
};

const nceLoss: Sampler = (values, { dims }) => {
  const { B = 0, E = 1 } = dims;
  const { a, b, scale, r, run, c, loss } = values as Record<string, ArrayLike<number>>;
  const samples = new Samples();
  for (const i of spread(B)) {
    const column = run![i]! + Math.log(run![B + i]!);
    const dot = sum(0, E, (e) => a![i * E + e]! * b![i * E + e]!);
    samples.add("c", c![i]!, column);
    samples.add("loss", loss![i]!, (r![i]! + column) / 2 - scale![0]! * dot);
  }
  return samples.list;
};

const nceGradient: Sampler = (values, { dims, options }) => {
  const { R = 0, B = 1 } = dims;
  const { s, scale, r, c, dloss, ds, dscale } = values as Record<string, ArrayLike<number>>;
  const at = options["at"] as number;
  const samples = new Samples();
  for (const i of places(R)) {
    const w = (j: number) => {
      const x = scale![0]! * s![i * B + j]!;
      const pair = Math.exp(x - r![at + i]!) + Math.exp(x - c![j]!) - (j === at + i ? 2 : 0);
      return dloss![0]! * pair / (2 * B);
    };
    for (const j of places(B)) samples.add("ds", ds![i * B + j]!, w(j) * scale![0]!);
    samples.add("dscale", dscale![at + i]!, sum(0, B, (j) => w(j) * s![i * B + j]!));
  }
  return samples.list;
};

const flow: Sampler = (values, { dims, options }) => {
  const { M = 0, D = 1 } = dims;
  const { z, u, w, b, y, logdet, act } = values as Record<string, ArrayLike<number>>;
  const uw = sum(0, D, (d) => u![d]! * w![d]!);
  const samples = new Samples();
  for (const m of places(M)) {
    const a = Math.tanh(sum(0, D, (d) => z![m * D + d]! * w![d]!) + b![0]!);
    for (let d = 0; d < D; d++) samples.add("y", y![m * D + d]!, z![m * D + d]! + u![d]! * a);
    // Beside one: a logarithm near zero is as exact as its argument.
    const right = Math.log(Math.abs(1 + (1 - a * a) * uw) + (options["eps"] as number));
    samples.add("logdet", 1 + logdet![m]!, 1 + right);
    if (act) samples.add("act", act[m]!, a);
  }
  return samples.list;
};

const flowGradient: Sampler = (values, { dims, options }) => {
  const { M = 0, D = 1 } = dims;
  const { dy, dlogdet, u, w, act, dz, sums } = values as Record<string, ArrayLike<number>>;
  const s = sum(0, D, (d) => u![d]! * w![d]!);
  const samples = new Samples();
  for (const m of places(M)) {
    const a = act![m]!;
    const t = 1 - a * a;
    const q = 1 + t * s;
    const c = dlogdet ? dlogdet[m]! * t * (q >= 0 ? 1 : -1) / (Math.abs(q) + (options["eps"] as number)) : 0;
    const dl = sum(0, D, (d) => dy![m * D + d]! * u![d]!) * t - 2 * c * s * a;
    for (let d = 0; dz && d < D; d++) samples.add("dz", dz[m * D + d]!, dy![m * D + d]! + dl * w![d]!);
    if (sums) [a, dl, c].forEach((right, k) => samples.add("sums", sums[3 * m + k]!, right));
  }
  return samples.list;
};

/** Sum, maximum or count over one axis whose elements are `at(k)`, `from <= k < to`. */
function reduced(
  values: Values,
  { options, variant }: Dispatch,
  [from, to]: readonly [number, number],
  at: (k: number) => number,
  top: number,
): number {
  const { x, w } = values as Record<"x", ArrayLike<number>> & Values;
  switch (variant.options["f"]) {
    case "max":
      return range(to - from).reduce((most, k) => Math.max(most, x[at(from + k)]!), -Infinity);
    case "count":
      return (options["scale"] as number) * sum(from, to, (k) => (x[at(k)] === values["top"]![top] ? 1 : 0));
    default:
      return (options["scale"] as number) * sum(from, to, (k) => x[at(k)]! * (w ? w[at(k)]! : 1));
  }
}

const reduceRows: Sampler = (values, dispatch) => {
  const { M = 0, D = 1, S = 1 } = dispatch.dims;
  const samples = new Samples();
  for (const m of places(M)) {
    for (const s of places(S)) {
      const block = [s * 4096, Math.min(D, (s + 1) * 4096)] as const;
      samples.add("y", values["y"]![m * S + s]!, reduced(values, dispatch, block, (d) => m * D + d, m));
    }
  }
  return samples.list;
};

const reduceMiddle: Sampler = (values, dispatch) => {
  const { A = 0, R = 1, C = 1, S = 1 } = dispatch.dims;
  const samples = new Samples();
  for (const a of places(A)) {
    for (const c of places(C)) {
      for (const s of places(S)) {
        const block = [s * 64, Math.min(R, (s + 1) * 64)] as const;
        const right = reduced(values, dispatch, block, (r) => (a * R + r) * C + c, a * C + c);
        samples.add("y", values["y"]![(s * A + a) * C + c]!, right);
      }
    }
  }
  return samples.list;
};

const adamw: Sampler = (values, { options }) => {
  const of = (name: string) => values[name]!;
  const [beta1, beta2, eps] = ["beta1", "beta2", "eps"].map((key) => options[key] as number);
  const [w, m, v, grad] = ["w", "m", "v", "grad"].map((name) => values[`${name}, before`]!);
  const [, factor, ok, , , corr1, corr2] = Array.from(of("state"));
  const samples = new Samples();
  for (const i of spread(w!.length)) {
    const row = of("group")[i >> 6]!;
    const rate = of("rate")[row]! * of("hyper")[2 * row]!;
    const g = grad![i]! * factor!;
    const m1 = ok ? beta1! * m![i]! + (1 - beta1!) * g : m![i]!;
    const v1 = ok ? beta2! * v![i]! + (1 - beta2!) * g * g : v![i]!;
    const step = ok ? rate * (m1 / corr1!) / (Math.sqrt(v1 / corr2!) + eps!) : 0;
    const decay = ok ? 1 - rate * of("hyper")[2 * row + 1]! : 1;
    samples.add("w", of("w")[i]!, w![i]! * decay - step);
    samples.add("m", of("m")[i]!, m1);
    samples.add("v", of("v")[i]!, v1);
    samples.add("grad", of("grad")[i]!, 0);
  }
  return samples.list;
};

/** Counts of what is not finite: blocks of four elements an invocation, in turn by the groups. */
const overflow: Sampler = (values, { dims: { G = 1 }, variant, options }) => {
  const [slot, block] = [options["slot"] as number, 4 * variant.tune["WG"]!];
  const right = Array.from({ length: G }, (_, g) => values["found, before"]![slot * G + g]!);
  Array.prototype.forEach.call(values["x"], (v: number, i: number) => {
    if (!Number.isFinite(v)) right[Math.floor(i / block) % G]! += 1;
  });
  return [{ name: "found", got: right.map((_, g) => values["found"]![slot * G + g]!), right }];
};

/** Samplers by kernel. */
export const TRAINING: Readonly<Record<string, Sampler>> = {
  layernorm_bwd_input: layernormInput,
  attention_bwd_query: attentionQuery,
  attention_bwd_key: attentionKey,
  attention_delta: attentionDelta,
  batchnorm_train: batchnorm,
  batchnorm_bwd: batchnormGradient,
  overflow,
  info_nce_rows: nceRows,
  info_nce_columns: nceColumns,
  info_nce_loss: nceLoss,
  info_nce_grad: nceGradient,
  planar_flow_fwd: flow,
  planar_flow_bwd: flowGradient,
  reduce_rows: reduceRows,
  reduce_middle: reduceMiddle,
  adamw,
};
