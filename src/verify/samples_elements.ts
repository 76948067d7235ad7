/**
 * Samples in f64 of kernels that go element by element: functions, gradients, sums of two, dropout, rows by index, resizing.
 *
 * @module
 */

import { threefry2x32 } from "../core/rng.ts";
import { type Sampler, Samples, spread, sum, type Values } from "./sample.ts";
import { erf } from "./special.ts";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const normal = (x: number): number => 0.5 * (1 + erf(x / Math.SQRT2));
const siluSlope = (x: number): number => sigmoid(x) * (1 + x * (1 - sigmoid(x)));
const geluSlope = (x: number): number => normal(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);

/** Functions of one number, with two parameters. */
export const FUNCTIONS: Readonly<Record<string, (x: number, a: number, b: number) => number>> = {
  gelu: (x) => x * normal(x),
  silu: (x) => x * sigmoid(x),
  relu: (x) => Math.max(x, 0),
  leaky_relu: (x, a) => (x < 0 ? a * x : x),
  tanh: Math.tanh,
  sigmoid,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  square: (x) => x * x,
  abs: Math.abs,
  clamp: (x, a, b) => Math.min(Math.max(x, a), b),
};

/** Slopes, from the result for relu, leaky_relu, tanh, sigmoid, exp and sqrt, from the argument for the others. */
export const SLOPES: Readonly<Record<string, (s: number, a: number, b: number) => number>> = {
  none: () => 1,
  gelu: geluSlope,
  silu: siluSlope,
  relu: (y) => (y > 0 ? 1 : 0),
  leaky_relu: (y, a) => (y > 0 ? 1 : a),
  tanh: (y) => 1 - y * y,
  sigmoid: (y) => y * (1 - y),
  softplus: sigmoid,
  exp: (y) => y,
  log: (x) => 1 / x,
  sqrt: (y) => 0.5 / y,
  square: (x) => 2 * x,
  abs: Math.sign,
  clamp: (x, a, b) => (x >= a && x <= b ? 1 : 0),
};

/** Operations of two numbers. */
export const BINARY: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
};

/** Slopes in both operands; undefined where they are equal and either is right. */
export const BINARY_SLOPES: Readonly<Record<string, (a: number, b: number) => readonly [number, number] | undefined>> =
  {
    add: () => [1, 1],
    sub: () => [1, -1],
    mul: (a, b) => [b, a],
    div: (a, b) => [1 / b, -a / (b * b)],
    min: (a, b) => (a === b ? undefined : a < b ? [1, 0] : [0, 1]),
    max: (a, b) => (a === b ? undefined : a > b ? [1, 0] : [0, 1]),
  };

/** A sampler of results `y[i]` of `n` elements. */
function elements(
  result: string,
  right: (values: Values, i: number, dispatch: Parameters<Sampler>[1]) => number,
): Sampler {
  return (values, dispatch) => {
    const samples = new Samples();
    for (const i of spread(values[result]!.length)) {
      samples.add(result, values[result]![i]!, right(values, i, dispatch));
    }
    return samples.list;
  };
}

const binaryGradients: Sampler = (values, { variant }) => {
  const { a, b, dy, da, db } = values as Record<"a" | "b" | "dy", ArrayLike<number>> & Values;
  const slopes = BINARY_SLOPES[variant.options["f"]!]!;
  const samples = new Samples();
  for (const i of spread(dy.length)) {
    const slope = slopes(a[i]!, b[i]!);
    if (!slope) continue;
    if (da) samples.add("da", da[i]!, dy[i]! * slope[0]);
    if (db) samples.add("db", db[i]!, dy[i]! * slope[1]);
  }
  return samples.list;
};

const dropout: Sampler = (values, { dims, options }) => {
  const { x, y, random } = values as Record<"x" | "y" | "random", ArrayLike<number>>;
  const { C = 1 } = dims;
  const [stream, threshold, scale] = ["stream", "threshold", "scale"].map((key) => options[key] as number);
  const samples = new Samples();
  for (const i of spread(y.length)) {
    const [r, c] = [Math.floor(i / C), i % C];
    const words = threefry2x32(random[0]!, (random[1]! ^ stream!) >>> 0, c >> 1, (random[2]! + r) >>> 0);
    samples.add("y", y[i]!, words[c & 1]! >= threshold! ? scale! * x[i]! : 0);
  }
  return samples.list;
};

const gather: Sampler = (values, { dims, options, variant }) => {
  const { x, y, index } = values as Record<"x" | "y" | "index", ArrayLike<number>>;
  const width = (options["D"] as number) * dims["U"]!;
  const outside = variant.options["outside"] === "zero" ? 0 : NaN;
  const samples = new Samples();
  for (const i of spread(y.length)) {
    const row = index[Math.floor(i / width)]!;
    samples.add("y", y[i]!, row < (options["V"] as number) ? x[row * width + i % width]! : outside);
  }
  return samples.list;
};

/** Source of the taps of element i along the middle axis: `tap(k)` and where weights begin. */
function axis({ dims }: Parameters<Sampler>[1], start: ArrayLike<number>, i: number) {
  const { N = 1, O = 1, C = 1, K = 0 } = dims;
  const [c, o, a] = [i % C, Math.floor(i / C) % O, Math.floor(i / C / O)];
  return { K, weights: o * K, tap: (k: number) => (a * N + start[o]! + k) * C + c };
}

const resizeAxis = elements("y", ({ x, bytes, start, weight }, i, dispatch) => {
  const { K, weights, tap } = axis(dispatch, start!, i);
  return sum(0, K, (k) => weight![weights + k]! * (x ?? bytes)![tap(k)]!);
});

const resizeBytes = elements("y", ({ x, start, weight }, i, dispatch) => {
  const { K, weights, tap } = axis(dispatch, start!, i);
  const total = sum(0, K, (k) => weight![weights + k]! * x![tap(k)]!);
  return Math.min(255, Math.max(0, Math.floor((2 ** 21 + total) / 2 ** 22)));
});

const negativeBinomialGradient: Sampler = ({ x, y, dloss, dy }, { dims: { n = 1 }, options, variant }) => {
  const alpha = options["alpha"] as number;
  const logs = variant.options["space"] !== "counts";
  const samples = new Samples();
  for (const i of spread(n)) {
    const mean = logs ? Math.expm1(y![i]!) : y![i]!;
    const mu = Math.max(mean, 1e-8);
    const t = Math.max(logs ? Math.expm1(x![i]!) : x![i]!, 0);
    const q = mu / (mu + alpha);
    const by = mean >= 1e-8 ? -dloss![0]! / n * alpha / (mu + alpha) ** 2 * (logs ? Math.exp(y![i]!) : 1) : 0;
    const [seen, unseen] = [t / (q + 1e-8), alpha / (1 - q + 1e-8)];
    samples.add("dy", dy![i]!, by * (seen - unseen), by * (seen + unseen));
  }
  return samples.list;
};

/** Samplers by kernel. */
export const ELEMENTS: Readonly<Record<string, Sampler>> = {
  activation_fwd: elements(
    "y",
    ({ x }, i, { options, variant }) =>
      FUNCTIONS[variant.options["f"]!]!(x![i]!, options["a"] as number, options["b"] as number),
  ),
  activation_bwd: elements(
    "dx",
    ({ s, dy }, i, { options, variant }) =>
      dy![i]! * SLOPES[variant.options["f"]!]!(s![i]!, options["a"] as number, options["b"] as number),
  ),
  binary_fwd: elements("y", ({ a, b }, i, { variant }) => BINARY[variant.options["f"]!]!(a![i]!, b![i]!)),
  binary_bwd: binaryGradients,
  affine: elements(
    "y",
    ({ x, s }, i, { options }) => (options["a"] as number) * (s ? s[0]! : 1) * x![i]! + (options["b"] as number),
  ),
  negative_binomial_bwd: negativeBinomialGradient,
  sum_pair: elements("y", ({ a, b }, i) => a![i]! + b![i]!),
  accumulate: elements("y", (values, i) => values["y, before"]![i]! + values["x"]![i]!),
  fill: elements("y", (_, __, { options }) => options["value"] as number),
  dropout,
  gather,
  resize_axis: resizeAxis,
  resize_axis_bytes: resizeBytes,
  matmul_bwd_act: (values, { dims, variant }) => {
    const { dy, gamma, pre, dz } = values as Record<"dy" | "dz", ArrayLike<number>> & Values;
    const { F = 1, N = 1 } = dims;
    const act = variant.options["act"]!;
    const samples = new Samples();
    for (const i of spread(dy.length)) {
      const [m, f] = [Math.floor(i / F), i % F];
      const d = dy[i]! * (gamma ? gamma[f]! : 1);
      if (act !== "swiglu") samples.add("dz", dz[i]!, d * SLOPES[act]!(pre ? pre[i]! : 0, 0, 0));
      else {
        const [gate, value] = [pre![m * N + f]!, pre![m * N + F + f]!];
        samples.add("dz", dz[m * N + f]!, d * value * siluSlope(gate));
        samples.add("dz", dz[m * N + F + f]!, d * gate * sigmoid(gate));
      }
    }
    return samples.list;
  },
};
