/**
 * Samples in f64 of kernels that sum rows, columns or everything: norms, softmax, cross-entropy, partial sums, patches of images.
 *
 * @module
 */

import type { Dispatch } from "../graph/plan.ts";
import { places, type Sampler, Samples, spread, sum, type Values } from "./sample.ts";
import { FUNCTIONS } from "./samples_elements.ts";

/** A sum whose terms may cancel, as a sample. */
function addSum(samples: Samples, name: string, got: number, n: number, term: (i: number) => number, from = 0): void {
  const size = Math.sqrt(sum(from, n, (i) => term(i) ** 2));
  samples.add(name, got, sum(from, n, term), size);
}

/** Rows of a block, where S blocks share M rows. */
function rowsOf({ M = 0, S = 1 }: Dispatch["dims"], s: number): readonly [number, number] {
  const rows = Math.ceil(M / S);
  return [Math.min(M, s * rows), Math.min(M, (s + 1) * rows)];
}

const squares: Sampler = (values, { dims, options }) => {
  const { x, part } = values as Record<"x" | "part", ArrayLike<number>>;
  const { n = 0 } = dims;
  const [at, blocks] = [options["at"] as number, Math.ceil(n / 4096)];
  const samples = new Samples();
  for (const s of places(blocks)) {
    const total = sum(s * 4096, Math.min(n, (s + 1) * 4096), (i) => x[i]! * x[i]!);
    // Each beside itself, and closely: one element among thousands must show.
    if (total > 0) samples.add("part", part[at + s]! / total - 1, 0, 0.1);
    else samples.add("part of nothing", part[at + s]!, 0);
  }
  const before = values["part, before"]!;
  for (let s = 0; s < part.length; s++) {
    if (s < at || s >= at + blocks) samples.add("part of others", part[s]!, before[s]!);
  }
  return samples.list;
};

const prepare: Sampler = (values, { dims, options }) => {
  const { part, state, scale } = values as Record<"part" | "state", ArrayLike<number>> & Values;
  const before = values["state, before"]!;
  const scaleBefore = values["scale, before"];
  const p = (name: string) => options[name] as number;
  const by = scaleBefore?.[0] ?? 1;
  const total = sum(0, dims["S"] ?? 0, (s) => part[s]!);
  const ok = Number.isFinite(total);
  const norm = Math.sqrt(total) / by;
  const t = before[3]! + (ok ? 1 : 0);
  const factor = ok ? (p("clip") > 0 ? Math.min(1, p("clip") / (norm + 1e-6)) : 1) / by : 0;
  const right: Record<string, number> = {
    ...(ok && { norm }),
    factor,
    ok: ok ? 1 : 0,
    t,
    skipped: before[4]! + (ok ? 0 : 1),
    corr1: -Math.expm1(t * p("log_beta1")),
    corr2: -Math.expm1(t * p("log_beta2")),
  };
  const places = ["norm", "factor", "ok", "t", "skipped", "corr1", "corr2"];
  const samples = new Samples();
  for (const [name, value] of Object.entries(right)) samples.add(name, state[places.indexOf(name)]!, value);
  if (scale && scaleBefore) {
    const clean = ok ? scaleBefore[1]! + 1 : 0;
    const grow = clean >= p("interval");
    const next = grow ? by * 2 : ok ? by : by * 0.5;
    samples.add("scale", scale[0]!, Math.min(Math.max(next, p("least")), p("most")));
    samples.add("clean steps", scale[1]!, grow ? 0 : clean);
  }
  return samples.list;
};

const matmulColumns: Sampler = (values, { dims, options, variant }) => {
  const { dy, pre, part } = values as Record<"dy" | "part", ArrayLike<number>> & Values;
  const { F = 1, N = 1, S = 1 } = dims;
  const act = variant.options["act"]!;
  const [zero0, zero1] = [options["zero0"] as number, options["zero1"] as number];
  const value = (m: number, f: number): number => {
    if (!pre) return 1;
    if (act === "swiglu") return FUNCTIONS["silu"]!(pre[m * N + f]!, 0, 0) * pre[m * N + F + f]!;
    return act === "none" ? pre[m * N + f]! : FUNCTIONS[act]!(pre[m * N + f]!, 0, 0);
  };
  const samples = new Samples();
  for (const s of places(S)) {
    const [from, to] = rowsOf(dims, s);
    for (const f of places(F)) {
      if (f >= zero0 && f < zero1) samples.add("zeros", part[s * F + f]!, 0);
      else addSum(samples, "part", part[s * F + f]!, to, (m) => dy[m * F + f]! * value(m, f), from);
    }
  }
  return samples.list;
};

const flowColumns: Sampler = (values, { dims }) => {
  const { z, dy, sums, u, w, du, dw, db } = values as
    & Record<"z" | "dy" | "sums" | "u" | "w", ArrayLike<number>>
    & Values;
  const { D = 1, S = 1 } = dims;
  const samples = new Samples();
  for (const s of places(S)) {
    const [from, to] = rowsOf(dims, s);
    const [a, dl, c] = [0, 1, 2].map((k) => (m: number) => sums[3 * m + k]!) as [
      (m: number) => number,
      (m: number) => number,
      (m: number) => number,
    ];
    for (const d of places(D)) {
      if (du) addSum(samples, "du", du[s * D + d]!, to, (m) => a(m) * dy[m * D + d]! + c(m) * w[d]!, from);
      if (dw) addSum(samples, "dw", dw[s * D + d]!, to, (m) => dl(m) * z[m * D + d]! + c(m) * u[d]!, from);
    }
    if (db) addSum(samples, "db", db[s]!, to, dl, from);
  }
  return samples.list;
};

const layernormAffine: Sampler = (values, { dims }) => {
  const { x, stats, dy, dgamma, dbeta } = values as Record<string, ArrayLike<number>>;
  const { D = 1, S = 1 } = dims;
  const samples = new Samples();
  for (const s of places(S)) {
    const [from, to] = rowsOf(dims, s);
    for (const d of places(D)) {
      const term = (m: number) => dy![m * D + d]! * (x![m * D + d]! - stats![2 * m]!) * stats![2 * m + 1]!;
      addSum(samples, "dgamma", dgamma![s * D + d]!, to, term, from);
      addSum(samples, "dbeta", dbeta![s * D + d]!, to, (m) => dy![m * D + d]!, from);
    }
  }
  return samples.list;
};

const normalise: Sampler = ({ x, y, norm }, { dims: { M = 0, D = 1 }, options }) => {
  const samples = new Samples();
  for (const m of places(M)) {
    const length = Math.sqrt(sum(m * D, (m + 1) * D, (i) => x![i]! ** 2));
    for (let i = m * D; i < (m + 1) * D; i++) {
      samples.add("y", y![i]!, x![i]! / Math.max(length, options["eps"] as number));
    }
    if (norm) samples.add("norm", norm[m]!, length);
  }
  return samples.list;
};

const normaliseGradient: Sampler = ({ x, norm, dy, dx }, { dims: { M = 0, D = 1 }, options }) => {
  const eps = options["eps"] as number;
  const samples = new Samples();
  for (const m of places(M)) {
    const length = norm![m]!;
    const along = length < eps ? 0 : sum(m * D, (m + 1) * D, (i) => dy![i]! * x![i]! / length);
    for (let i = m * D; i < (m + 1) * D; i++) {
      const scale = 1 / Math.max(length, eps);
      samples.add("dx", dx![i]!, scale * (dy![i]! - along * x![i]! / Math.max(length, eps)), scale * dy![i]!);
    }
  }
  return samples.list;
};

const softmax: Sampler = ({ x, y }, { dims: { M = 0, D = 1 }, options, variant }) => {
  const scale = options["scale"] as number;
  const samples = new Samples();
  for (const m of places(M)) {
    const row = Array.from({ length: D }, (_, d) => x![m * D + d]!);
    const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = row.reduce((a, b) => a + Math.exp(scale * (b - top)), 0);
    row.forEach((value, d) => {
      const log = scale * (value - top) - Math.log(total);
      samples.add("y", y![m * D + d]!, variant.options["form"] === "logs" ? log : Math.exp(log));
    });
  }
  return samples.list;
};

const softmaxGradient: Sampler = ({ saved, dy, dx }, { dims: { M = 0, D = 1 }, options, variant }) => {
  const scale = options["scale"] as number;
  const logs = variant.options["form"] === "logs";
  const samples = new Samples();
  for (const m of places(M)) {
    const total = sum(m * D, (m + 1) * D, (i) => dy![i]! * (logs ? 1 : saved![i]!));
    for (let i = m * D; i < (m + 1) * D; i++) {
      const weight = logs ? 1 : saved![i]!;
      const taken = logs ? Math.exp(saved![i]!) * total : total;
      const size = scale * weight * Math.max(Math.abs(dy![i]!), Math.abs(taken));
      samples.add("dx", dx![i]!, scale * weight * (dy![i]! - taken), size);
    }
  }
  return samples.list;
};

const crossEntropy: Sampler = ({ x, labels, terms, stats }, { dims: { M = 0, D = 1 }, options }) => {
  const smoothing = options["smoothing"] as number;
  const samples = new Samples();
  for (const m of places(M)) {
    const label = labels![m]!;
    const row = Array.from({ length: D }, (_, d) => x![m * D + d]!);
    const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = row.reduce((a, b) => a + Math.exp(b - top), 0);
    const mean = row.reduce((a, b) => a + b - top, 0) / D;
    const counts = label !== options["ignore"];
    const own = label < D ? row[label]! - top : NaN;
    const loss = Math.log(total) - (1 - smoothing) * own - smoothing * mean;
    samples.add("loss", terms![2 * m]!, counts ? loss : 0);
    samples.add("counts", terms![2 * m + 1]!, counts ? 1 : 0);
    if (stats) {
      samples.add("top", stats[2 * m]!, top);
      samples.add("share", stats[2 * m + 1]!, 1 / total);
    }
  }
  return samples.list;
};

const crossEntropyGradient: Sampler = (values, { dims: { M = 0, D = 1 }, options }) => {
  const { x, labels, stats, share, dloss, dx } = values as Record<string, ArrayLike<number>>;
  const smoothing = options["smoothing"] as number;
  const samples = new Samples();
  for (const m of places(M)) {
    const label = labels![m]!;
    if (label >= D && label !== options["ignore"]) continue;
    for (let d = 0; d < D; d++) {
      const p = Math.exp(x![m * D + d]! - stats![2 * m]!) * stats![2 * m + 1]!;
      const right = dloss![0]! * share![0]! * (p - (d === label ? 1 - smoothing : 0) - smoothing / D);
      samples.add("dx", dx![m * D + d]!, label === options["ignore"] ? 0 : right);
    }
  }
  return samples.list;
};

const crossEntropyMean: Sampler = ({ terms, loss, share }, { dims: { M = 0 } }) => {
  const counted = sum(0, M, (m) => terms![2 * m + 1]!);
  const part = counted > 0 ? 1 / counted : 0;
  const samples = new Samples();
  samples.add("loss", loss![0]!, part * sum(0, M, (m) => terms![2 * m]!));
  if (share) samples.add("share", share[0]!, part);
  return samples.list;
};

const sumPartials: Sampler = ({ part, y }, { dims: { S = 1, n = 0 } }) => {
  const samples = new Samples();
  for (const i of spread(n)) addSum(samples, "y", y![i]!, S, (s) => part![s * n + i]!);
  return samples.list;
};

const sumVector: Sampler = ({ x, y }, { dims: { n = 0 }, options }) => {
  const samples = new Samples();
  addSum(samples, "y", y![0]!, n, (i) => (options["factor"] as number) * x![i]!);
  return samples.list;
};

/** Normalised pixel `k` of patch `m`. */
function pixel({ bytes, pixels }: Values, { options }: Dispatch): (m: number, k: number) => number {
  const p = (name: string) => options[name] as number;
  const [side, columns, stride] = [p("side"), p("columns"), p("stride")];
  return (m, k) => {
    const [c, line, column] = [Math.floor(k / side / side), Math.floor(k / side) % side, k % side];
    const at = (Math.floor(m / columns) * side + line) * stride + (m % columns * side + column) * 3 + c;
    return bytes ? p(`scale${c}`) * bytes[at]! + p(`shift${c}`) : pixels![at]!;
  };
}

const patchEmbed: Sampler = (values, dispatch) => {
  const { M = 0, N = 0, K = 0 } = dispatch.dims;
  const { b, bias, y } = values;
  const x = pixel(values, dispatch);
  const alpha = dispatch.options["alpha"] as number;
  const samples = new Samples();
  for (const m of places(M)) {
    const row = Array.from({ length: K }, (_, k) => x(m, k));
    for (const n of places(N)) {
      samples.add("y", y![m * N + n]!, alpha * sum(0, K, (k) => row[k]! * b![n * K + k]!) + (bias?.[n] ?? 0));
    }
  }
  return samples.list;
};

const patchEmbedWeight: Sampler = (values, dispatch) => {
  const { M = 0, N = 0, K = 0, Z = 1 } = dispatch.dims;
  const { a, part } = values as Record<"a" | "part", ArrayLike<number>>;
  const x = pixel(values, dispatch);
  const alpha = dispatch.options["alpha"] as number;
  const samples = new Samples();
  for (const m of places(M)) {
    for (const n of places(N)) {
      // Slices of the reduction: only their sum is known.
      const got = sum(0, Z, (z) => part[(z * M + m) * N + n]!);
      addSum(samples, "part", got, K, (k) => alpha * a[k * M + m]! * x(k, n));
    }
  }
  return samples.list;
};

const batchnormRunning: Sampler = (values, { dims: { M = 0, D = 1 }, options }) => {
  const { x, y, gamma, beta, running_mean: mean, running_var: variance, stats } = values;
  const samples = new Samples();
  for (const d of places(D)) {
    const rstd = 1 / Math.sqrt(variance![d]! + (options["eps"] as number));
    for (const m of spread(M)) {
      const right = (x![m * D + d]! - mean![d]!) * rstd * (gamma?.[d] ?? 1) + (beta?.[d] ?? 0);
      samples.add("y", y![m * D + d]!, right);
    }
    if (stats) samples.add("stats", stats[D + d]!, rstd);
  }
  return samples.list;
};

const WIDTHS = [10, 15, 20, 50] as const;

const mmdKernel: Sampler = (values, { dims: { R = 0, N = 0 }, variant }) => {
  const { s, na, nb } = values as Record<"s" | "na" | "nb", ArrayLike<number>>;
  const before = values["s, before"]!;
  const slope = variant.options["f"] === "slope";
  const samples = new Samples();
  for (const i of places(R)) {
    for (let j = 0; j < N; j++) {
      const d = Math.max(na[i]! + nb[j]! - 2 * before[i * N + j]!, 0);
      const term = (a: number) => (slope ? Math.exp(-d / (2 * a)) / (2 * a) : Math.expm1(-d / (2 * a)));
      // Distances cancel where points lie close: rounding is of the size of a weight, not of its difference from one.
      samples.add("s", s[i * N + j]!, WIDTHS.reduce((total, a) => total + term(a), 0), slope ? 0 : 1);
    }
  }
  return samples.list;
};

const mmdGradient: Sampler = (values, { dims: { R = 0, E = 1 }, options }) => {
  const { y, ru, rv, uy, vx, dloss, dy } = values as Record<string, ArrayLike<number>>;
  const [at, factor] = [options["at"] as number, options["factor"] as number];
  const samples = new Samples();
  for (const r of places(R)) {
    for (let e = 0; e < E; e++) {
      const by = factor * dloss![0]!;
      const own = (ru![r]! - rv![r]!) * y![(at + r) * E + e]!;
      const [near, far] = [uy![r * E + e]!, vx![r * E + e]!];
      const size = by * Math.hypot(own, near, far);
      samples.add("dy", dy![(at + r) * E + e]!, by * (own - near + far), size);
    }
  }
  return samples.list;
};

const proximity: Sampler = ({ s, w }, { dims: { B = 0 }, options, variant }) => {
  const samples = new Samples();
  for (const i of places(B)) {
    for (let j = 0; j < B; j++) {
      const square = Math.max(0, 2 - 2 * s![i * B + j]!);
      const d = variant.options["d"] === "plain" ? Math.sqrt(square) : square;
      const weight = 1 - 4 / Math.PI * Math.atan(d / (options["c"] as number));
      const right = i === j ? 1 : weight < (options["least"] as number) ? 0 : weight;
      samples.add("w", w![i * B + j]!, right);
    }
  }
  return samples.list;
};

const normaliseImage: Sampler = ({ bytes, y }, { options }) => {
  const samples = new Samples();
  for (const i of spread(y!.length)) {
    const right = (options[`scale${i % 3}`] as number) * bytes![i]! + (options[`shift${i % 3}`] as number);
    samples.add("y", y![i]!, right);
  }
  return samples.list;
};

/** Samplers by kernel. */
export const ROWS: Readonly<Record<string, Sampler>> = {
  sum_squares: squares,
  adamw_prepare: prepare,
  matmul_bwd_columns: matmulColumns,
  planar_flow_columns: flowColumns,
  layernorm_bwd_affine: layernormAffine,
  l2_normalize_fwd: normalise,
  l2_normalize_bwd: normaliseGradient,
  softmax_fwd: softmax,
  softmax_bwd: softmaxGradient,
  cross_entropy_rows: crossEntropy,
  cross_entropy_bwd: crossEntropyGradient,
  cross_entropy_mean: crossEntropyMean,
  sum_partials: sumPartials,
  sum_vector: sumVector,
  patch_embed: patchEmbed,
  patch_embed_bwd_weight: patchEmbedWeight,
  normalize_image: normaliseImage,
  batchnorm_eval: batchnormRunning,
  mmd_kernel: mmdKernel,
  mmd_bwd: mmdGradient,
  proximity,
};
