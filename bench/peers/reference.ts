/**
 * The same work in float64 with plain loops: the numerics gate of the comparison.
 *
 * @module
 */

import type {
  AttentionSpec,
  BlockParam,
  BlockParams,
  BlockSpec,
  GemmSpec,
  HostTensors,
  LayerNormSpec,
  LoraSpec,
  VitParams,
  VitSpec,
} from "./types.ts";
import { blockParams, LORA_RATE } from "./vit.ts";

type Arr = ArrayLike<number>;

/** Outputs by name. */
export type Reference = Record<string, Float64Array>;

/** `x[m, k] · w[n, k]ᵀ (+ bias[n])`. */
function nt(x: Arr, w: Arr, m: number, n: number, k: number, bias?: Arr): Float64Array {
  const a = new Float64Array(x), b = new Float64Array(w), y = new Float64Array(m * n);
  const row = (i: number): Float64Array => b.subarray(i * k, (i + 1) * k);
  for (let j = 0; j < n; j += 4) {
    // Four sums at once, since each waits for its own last addition; columns beyond the end are read from the last.
    const b0 = row(j),
      b1 = row(Math.min(j + 1, n - 1)),
      b2 = row(Math.min(j + 2, n - 1)),
      b3 = row(Math.min(j + 3, n - 1));
    const c0 = bias?.[j] ?? 0, c1 = bias?.[j + 1] ?? 0, c2 = bias?.[j + 2] ?? 0, c3 = bias?.[j + 3] ?? 0;
    for (let i = 0; i < m; i++) {
      const r = a.subarray(i * k, (i + 1) * k);
      let s0 = c0, s1 = c1, s2 = c2, s3 = c3;
      for (let t = 0; t < k; t++) {
        const v = r[t]!;
        s0 += v * b0[t]!;
        s1 += v * b1[t]!;
        s2 += v * b2[t]!;
        s3 += v * b3[t]!;
      }
      const at = i * n + j;
      y[at] = s0;
      if (j + 1 < n) y[at + 1] = s1;
      if (j + 2 < n) y[at + 2] = s2;
      if (j + 3 < n) y[at + 3] = s3;
    }
  }
  return y;
}

function transpose(x: Arr, rows: number, cols: number): Float64Array {
  const y = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) y[j * rows + i] = x[i * cols + j]!;
  return y;
}

function add(a: Arr, b: Arr): Float64Array {
  const y = new Float64Array(a.length);
  for (let i = 0; i < y.length; i++) y[i] = a[i]! + b[i]!;
  return y;
}

/** Gradients of `y = x · wᵀ + bias`. */
function linearBack(dy: Arr, x: Arr, w: Arr, m: number, n: number, k: number) {
  const dyT = transpose(dy, m, n);
  const db = new Float64Array(n);
  for (let j = 0; j < n; j++) for (let i = 0; i < m; i++) db[j]! += dyT[j * m + i]!;
  return { dx: nt(dy, transpose(w, n, k), m, k, n), dw: nt(dyT, transpose(x, m, k), n, k, m), db };
}

function rowStats(x: Arr, row: number, width: number, eps: number) {
  let mean = 0, variance = 0;
  for (let j = 0; j < width; j++) mean += x[row * width + j]! / width;
  for (let j = 0; j < width; j++) variance += (x[row * width + j]! - mean) ** 2 / width;
  return { mean, rstd: 1 / Math.sqrt(variance + eps) };
}

function norm(x: Arr, g: Arr, b: Arr, { rows, width, eps }: LayerNormSpec): Float64Array {
  const y = new Float64Array(rows * width);
  for (let i = 0; i < rows; i++) {
    const { mean, rstd } = rowStats(x, i, width, eps);
    for (let j = 0; j < width; j++) y[i * width + j] = (x[i * width + j]! - mean) * rstd * g[j]! + b[j]!;
  }
  return y;
}

function normBack(dy: Arr, x: Arr, g: Arr, { rows, width, eps }: LayerNormSpec) {
  const dx = new Float64Array(rows * width), dg = new Float64Array(width), db = new Float64Array(width);
  for (let i = 0; i < rows; i++) {
    const { mean, rstd } = rowStats(x, i, width, eps);
    let sum = 0, dot = 0;
    for (let j = 0; j < width; j++) {
      const p = i * width + j, hat = (x[p]! - mean) * rstd, d = dy[p]! * g[j]!;
      sum += d / width;
      dot += d * hat / width;
      dg[j]! += dy[p]! * hat;
      db[j]! += dy[p]!;
    }
    for (let j = 0; j < width; j++) {
      const p = i * width + j;
      dx[p] = rstd * (dy[p]! * g[j]! - sum - (x[p]! - mean) * rstd * dot);
    }
  }
  return { dx, dg, db };
}

/** Columns `[from, from + count)` of a matrix with `cols` columns. */
function columns(x: Arr, rows: number, cols: number, from: number, count: number): Float64Array {
  const y = new Float64Array(rows * count);
  for (let i = 0; i < rows; i++) for (let j = 0; j < count; j++) y[i * count + j] = x[i * cols + from + j]!;
  return y;
}

function putColumns(y: Float64Array, part: Arr, rows: number, cols: number, from: number, count: number): void {
  for (let i = 0; i < rows; i++) for (let j = 0; j < count; j++) y[i * cols + from + j] = part[i * count + j]!;
}

/** `softmax(q · kᵀ / √d)` of one head. */
function probabilities(q: Arr, k: Arr, n: number, d: number): Float64Array {
  const p = nt(q, k, n, n, d);
  for (let i = 0; i < n; i++) {
    let max = -Infinity, sum = 0;
    for (let j = 0; j < n; j++) max = Math.max(max, p[i * n + j]! /= Math.sqrt(d));
    for (let j = 0; j < n; j++) sum += p[i * n + j] = Math.exp(p[i * n + j]! - max);
    for (let j = 0; j < n; j++) p[i * n + j]! /= sum;
  }
  return p;
}

/** Attention on columns of one matrix: `q`, `k`, `v` of head `h` start at `at(h)`. Backward where `dy` is given. */
function attend(qkv: Arr, cols: number, offsets: readonly number[], spec: AttentionSpec, dy?: Arr) {
  const { tokens: n, heads, headDim: d } = spec, width = heads * d;
  const y = new Float64Array(n * width), dqkv = new Float64Array(n * cols);
  for (let h = 0; h < heads; h++) {
    const at = offsets.map((offset) => offset + h * d) as [number, number, number];
    const [q, k, v] = at.map((from) => columns(qkv, n, cols, from, d)) as [Float64Array, Float64Array, Float64Array];
    const p = probabilities(q, k, n, d);
    putColumns(y, nt(p, transpose(v, n, d), n, d, n), n, width, h * d, d);
    if (dy === undefined) continue;
    const dyh = columns(dy, n, width, h * d, d);
    const ds = nt(dyh, v, n, n, d);
    for (let i = 0; i < n; i++) {
      let dot = 0;
      for (let j = 0; j < n; j++) dot += ds[i * n + j]! * p[i * n + j]!;
      for (let j = 0; j < n; j++) ds[i * n + j] = p[i * n + j]! * (ds[i * n + j]! - dot) / Math.sqrt(d);
    }
    const parts = [
      nt(ds, transpose(k, n, d), n, d, n),
      nt(transpose(ds, n, n), transpose(q, n, d), n, d, n),
      nt(transpose(p, n, n), transpose(dyh, n, d), n, d, n),
    ];
    parts.forEach((part, i) => putColumns(dqkv, part, n, cols, at[i]!, d));
  }
  return { y, dqkv };
}

/** Error function by its all-positive series; exact to a few ulp below 6, 1 above. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  let term = a, sum = a;
  for (let n = 1; term > sum * 1e-17; n++) sum += term *= 2 * a * a / (2 * n + 1);
  return Math.sign(x) * 2 / Math.sqrt(Math.PI) * Math.exp(-a * a) * sum;
}

/** Standard normal distribution function. */
const phi = (x: number): number => 0.5 * (1 + erf(x * Math.SQRT1_2));

/** Reference of {@link GemmSpec}. */
export function gemm({ m, n, k }: GemmSpec, set: HostTensors): Reference {
  return { y: nt(set.x!.data, set.w!.data, m, n, k) };
}

/** Reference of {@link LayerNormSpec}. */
export function layernorm(spec: LayerNormSpec, set: HostTensors): Reference {
  return { y: norm(set.x!.data, set.g!.data, set.b!.data, spec) };
}

/** Reference of {@link AttentionSpec}. */
export function attention(spec: AttentionSpec, set: HostTensors): Reference {
  const { tokens: n, heads, headDim } = spec, width = heads * headDim;
  const joined = new Float64Array(n * 3 * width);
  [set.q!, set.k!, set.v!].forEach((part, i) => putColumns(joined, part.data, n, 3 * width, i * width, width));
  return { y: attend(joined, 3 * width, [0, width, 2 * width], spec).y };
}

/** Forward pass of a block with all that backward needs. */
function forward({ tokens: n, width: w, heads, mlp, eps }: BlockSpec, x: Arr, params: BlockParams) {
  const p = Object.fromEntries(Object.entries(params).map(([name, t]) => [name, t.data])) as unknown as Record<
    BlockParam,
    Arr
  >;
  const ln = { rows: n, width: w, eps };
  const att = { tokens: n, heads, headDim: w / heads }, offsets = [0, w, 2 * w];
  const h1 = norm(x, p.g1, p.b1, ln);
  const qkv = nt(h1, p.wqkv, n, 3 * w, w, p.bqkv);
  const o = attend(qkv, 3 * w, offsets, att).y;
  const r = add(x, nt(o, p.wproj, n, w, w, p.bproj));
  const h2 = norm(r, p.g2, p.b2, ln);
  const u = nt(h2, p.wfc1, n, mlp, w, p.bfc1);
  const act = u.map((v) => v * phi(v));
  return { p, ln, att, offsets, h1, qkv, o, r, h2, u, act, y: () => add(r, nt(act, p.wfc2, n, w, mlp, p.bfc2)) };
}

/** Reference of {@link BlockSpec}: `y` or, where asked for, all gradients. */
export function block(spec: BlockSpec, set: HostTensors, params: BlockParams, backward: boolean): Reference {
  const { tokens: n, width: w, mlp } = spec;
  const x = set.x!.data;
  const { p, ln, att, offsets, h1, qkv, o, r, h2, u, act, y } = forward(spec, x, params);
  if (!backward) return { y: y() };

  const dy = set.dy!.data;
  const fc2 = linearBack(dy, act, p.wfc2, n, w, mlp);
  const du = fc2.dx.map((d, i) => d * (phi(u[i]!) + u[i]! * Math.exp(-u[i]! * u[i]! / 2) / Math.sqrt(2 * Math.PI)));
  const fc1 = linearBack(du, h2, p.wfc1, n, mlp, w);
  const n2 = normBack(fc1.dx, r, p.g2, ln);
  const dr = add(dy, n2.dx);
  const proj = linearBack(dr, o, p.wproj, n, w, w);
  const { dqkv } = attend(qkv, 3 * w, offsets, att, proj.dx);
  const lin = linearBack(dqkv, h1, p.wqkv, n, 3 * w, w);
  const n1 = normBack(lin.dx, x, p.g1, ln);
  return {
    dx: add(dr, n1.dx),
    ...{ dg1: n1.dg, db1: n1.db, dwqkv: lin.dw, dbqkv: lin.db, dwproj: proj.dw, dbproj: proj.db },
    ...{ dg2: n2.dg, db2: n2.db, dwfc1: fc1.dw, dbfc1: fc1.db, dwfc2: fc2.dw, dbfc2: fc2.db },
  };
}

/** Reference of {@link LoraSpec}: the block with the factors' product added to its weight. */
export function lora(spec: LoraSpec, set: HostTensors, params: BlockParams): Reference {
  const { width: w, rank: r, scale } = spec, [a, b] = [set.a!.data, set.b!.data], n = 3 * w;
  const added = nt(b, transpose(a, r, w), n, w, r);
  const data = add(params.wqkv.data, added.map((v) => scale * v));
  const whole = { ...params, wqkv: { shape: [n, w], data } } as unknown as BlockParams;
  const { dx, dwqkv } = block(spec, set, whole, true);
  const da = nt(transpose(b, n, r), transpose(dwqkv!, n, w), r, w, n);
  const db = nt(dwqkv!, a, n, r, w);
  const step = (factor: Arr, gradient: Arr) =>
    Float64Array.from(factor, (v, i) => v - LORA_RATE * scale * gradient[i]!);
  return { dx: dx!, a: step(a, da), b: step(b, db) };
}

/** Pixels of the patches of an image `[side, side, 3]`, one row each, channels first as in the weight. */
function patches(x: Arr, side: number, patch: number): Float64Array {
  const across = side / patch, rows = new Float64Array(x.length);
  let at = 0;
  for (let t = 0; t < across * across; t++) {
    const top = Math.floor(t / across) * patch, left = (t % across) * patch;
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < patch; i++) {
        for (let j = 0; j < patch; j++) rows[at++] = x[((top + i) * side + left + j) * 3 + c]!;
      }
    }
  }
  return rows;
}

/** Reference of {@link VitSpec} for one image `[image, image, 3]`. */
export function vit(spec: VitSpec, image: Arr, params: VitParams): Reference {
  const { image: side, patch, width: w, depth, heads, mlp, eps } = spec;
  const data = (name: string): Arr => params[name]!.data;
  const rows = patches(image, side, patch), count = (side / patch) ** 2;
  const embedded = nt(
    rows,
    data("patch_embed.proj.weight"),
    count,
    w,
    3 * patch * patch,
    data("patch_embed.proj.bias"),
  );
  const tokens = new Float64Array((1 + count) * w);
  tokens.set(data("cls_token"));
  tokens.set(embedded, w);
  let x = add(tokens, data("pos_embed"));
  const block = { tokens: 1 + count, width: w, heads, mlp, eps };
  for (let i = 0; i < depth; i++) x = forward(block, x, blockParams(params, i)).y();
  return { y: norm(x.subarray(0, w), data("norm.weight"), data("norm.bias"), { rows: 1, width: w, eps }) };
}
