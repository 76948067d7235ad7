/**
 * Gradients that algebra makes 0 are 0, bit for bit, and only those: every network here is differentiated a second time by
 * central differences in float64.
 */

import assert from "node:assert/strict";
import { backwardFrom } from "../../src/autodiff/backward.ts";
import { checkpoint } from "../../src/autodiff/checkpoint.ts";
import { Rng } from "../../src/core/rng.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { barlowTwins } from "../../src/losses/contrastive/barlow.ts";
import { barlowMse } from "../../src/losses/gene/barlow_mse.ts";
import { barlowSoft } from "../../src/losses/gene/barlow_soft.ts";
import { cca } from "../../src/losses/contrastive/cca.ts";
import { pls } from "../../src/losses/gene/pls.ts";
import { applyMultihead } from "../../src/nn/multihead.ts";
import { relu } from "../../src/ops/activation.ts";
import { crossAttention, selfAttention } from "../../src/ops/attention.ts";
import { batchnorm } from "../../src/ops/batchnorm.ts";
import { add, mul } from "../../src/ops/binary.ts";
import { concat } from "../../src/ops/concat.ts";
import { layernorm } from "../../src/ops/layernorm.ts";
import { linear } from "../../src/ops/linear.ts";
import { meanAll, sumAll } from "../../src/ops/reduce.ts";
import { affine } from "../../src/ops/scale.ts";
import { select } from "../../src/ops/slice.ts";
import { meanTokens } from "../../src/ops/token.ts";
import { openGpu } from "../gpu/shared.ts";
import { attentionRef, unpack } from "../ref/attention.ts";
import { batchnormRef } from "../ref/batchnorm.ts";
import { layernormRef } from "../ref/layernorm.ts";
import { barlowRef, canonicalRef, plsRef, rowsOf } from "../ref/losses.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

type Values = Record<string, Float64Array>;
type Tensors = Record<string, Tensor>;

/** A network that ends in a number: on the device, and in float64. */
interface Net {
  /** Shapes of its inputs and parameters; all of them get gradients. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly run: (g: Plan, t: Tensors) => Tensor;
  readonly ref: (a: Values) => number;
  /** Parameters, or parts of them (from, to), whose gradient is 0 by algebra. Nothing else has one that is all 0. */
  readonly zero: Readonly<Record<string, true | readonly [number, number]>>;
}

const [B, K, N] = [7, 6, 5];

function dense(x: Float64Array, w: Float64Array, b: Float64Array): Float64Array {
  const [out, inner] = [b.length, w.length / b.length];
  return Float64Array.from({ length: x.length / inner * out }, (_, i) => {
    const [m, n] = [Math.floor(i / out), i % out];
    let sum = b[n]!;
    for (let k = 0; k < inner; k++) sum += x[m * inner + k]! * w[n * inner + k]!;
    return sum;
  });
}

/** A number that no shift of any part leaves as it is: the mean of v^2 c with a fixed c. */
function endRef(v: Float64Array): number {
  return v.reduce((sum, value, i) => sum + value * value * Math.cos(i), 0) / v.length;
}

function end(g: Plan, v: Tensor): Tensor {
  const c = g.constant(`cos ${v.shape}`, v.shape, "f32", () => Array.from({ length: v.size }, (_, i) => Math.cos(i)));
  return meanAll(g, mul(g, mul(g, v, v), c));
}

const normal = (x: Float64Array, gamma: Float64Array, beta: Float64Array) =>
  batchnormRef(
    x,
    { gamma, beta, mean: new Float64Array(gamma.length), variance: new Float64Array(gamma.length) },
    { training: true, eps: 1e-5, momentum: 0.1 },
  ).y;
const rectified = (x: Float64Array) => x.map((value) => Math.max(0, value));
const layer = (g: Plan, t: Tensors, x: Tensor, i = "") => linear(g, x, { weight: t[`w${i}`]!, bias: t[`b${i}`]! });
const W = { x: [B, K], w: [N, K], b: [N] };
const GB = { gamma: [N], beta: [N] };
/** What a correlation compares with. */
const target = Float64Array.from({ length: B * N }, (_, i) => Math.sin(3 * i + 1));
const targetOf = (g: Plan) => g.constant("target", [B, N], "f32", () => target);
const mseRef = (y: Float64Array) => y.reduce((sum, value, i) => sum + (value - target[i]!) ** 2, 0) / y.length;
const rows = (y: Float64Array) => rowsOf(y, B);

/** Self-attention of two heads of E channels over T tokens. */
function selfNet(T: number, E: number): Net {
  const D = 2 * E;
  return {
    shapes: { x: [2, T, D], w: [3 * D, D], b: [3 * D], wo: [D, D], bo: [D] },
    run: (g, t) => end(g, layer(g, t, selfAttention(g, layer(g, t, t.x!), { heads: 2 }), "o")),
    ref(a) {
      const [q, k, v] = unpack(dense(a.x!, a.w!, a.b!), 3, D);
      const o = attentionRef(q!, k!, v!, { B: 2, Nq: T, Nk: T, H: 2, E, scale: 1 / Math.sqrt(E) });
      return endRef(dense(o, a.wo!, a.bo!));
    },
    zero: { b: [D, 2 * D] },
  };
}

const NETS: Readonly<Record<string, Net>> = {
  "a bias before batch normalisation": {
    shapes: { ...W, ...GB, w2: [4, N], b2: [4] },
    run: (g, t) => end(g, layer(g, t, relu(g, batchnorm(g, layer(g, t, t.x!), { gamma: t.gamma, beta: t.beta })), "2")),
    ref: (a) => endRef(dense(rectified(normal(dense(a.x!, a.w!, a.b!), a.gamma!, a.beta!)), a.w2!, a.b2!)),
    zero: { b: true },
  },
  "two biases in a row before batch normalisation": {
    shapes: { ...W, ...GB, w2: [N, N], b2: [N] },
    run: (g, t) => end(g, batchnorm(g, layer(g, t, layer(g, t, t.x!), "2"), { gamma: t.gamma, beta: t.beta })),
    ref: (a) => endRef(normal(dense(dense(a.x!, a.w!, a.b!), a.w2!, a.b2!), a.gamma!, a.beta!)),
    zero: { b: true, b2: true },
  },
  "not a bias with an activation before batch normalisation": {
    shapes: { ...W, ...GB },
    run: (g, t) => end(g, batchnorm(g, relu(g, layer(g, t, t.x!)), { gamma: t.gamma, beta: t.beta })),
    ref: (a) => endRef(normal(rectified(dense(a.x!, a.w!, a.b!)), a.gamma!, a.beta!)),
    zero: {},
  },
  "not a bias whose result goes past the normalisation too": {
    shapes: { ...W, ...GB },
    run(g, t) {
      const y = layer(g, t, t.x!);
      return end(g, add(g, batchnorm(g, y, { gamma: t.gamma, beta: t.beta }), y));
    },
    ref(a) {
      const y = dense(a.x!, a.w!, a.b!);
      const n = normal(y, a.gamma!, a.beta!);
      return endRef(y.map((value, i) => value + n[i]!));
    },
    zero: {},
  },
  "not a bias before layer normalisation, whose mean is of other elements": {
    shapes: { ...W, ...GB },
    run: (g, t) => end(g, layernorm(g, layer(g, t, t.x!), t.gamma, t.beta)),
    ref: (a) => endRef(layernormRef(dense(a.x!, a.w!, a.b!), a.gamma!, a.beta!, 1e-5)),
    zero: {},
  },
  "the bias of keys, heads of 16 channels": selfNet(3, 16),
  "the bias of keys, heads of 6 channels": selfNet(4, 6),
  "the bias of keys in cross-attention": {
    shapes: { q: [2, 2, 16], x: [2, 3, 4], w: [32, 4], b: [32] },
    run: (g, t) => end(g, crossAttention(g, t.q!, layer(g, t, t.x!), { heads: 1 })),
    ref(a) {
      const [k, v] = unpack(dense(a.x!, a.w!, a.b!), 2, 16);
      return endRef(attentionRef(a.q!, k!, v!, { B: 2, Nq: 2, Nk: 3, H: 1, E: 16, scale: 0.25 }));
    },
    zero: { b: [0, 16] },
  },
  "query and key of a single token": {
    shapes: { x: [3, 1, 8], w: [24, 8], b: [24], wo: [8, 8], bo: [8] },
    run(g, t) {
      const layerOf = (i: string) => ({ name: `w${i}`, weight: t[`w${i}`]!, bias: t[`b${i}`]!, lora: undefined });
      return end(g, applyMultihead(g, { input: layerOf(""), output: layerOf("o"), heads: 2 }, t.x!));
    },
    ref(a) {
      const [q, k, v] = unpack(dense(a.x!, a.w!, a.b!), 3, 8);
      const o = attentionRef(q!, k!, v!, { B: 3, Nq: 1, Nk: 1, H: 2, E: 4, scale: 0.5 });
      return endRef(dense(o, a.wo!, a.bo!));
    },
    zero: { w: [0, 16 * 8], b: [0, 16] },
  },
  "a bias before a correlation over the batch (barlow_soft)": {
    shapes: W,
    run: (g, t) => barlowSoft(g, layer(g, t, t.x!), targetOf(g)),
    ref: (a) => barlowRef(rows(dense(a.x!, a.w!, a.b!)), rows(target), 0.05, 0, 1e-9),
    zero: { b: true },
  },
  "not a bias before barlow_mse": {
    shapes: W,
    run: (g, t) => barlowMse(g, layer(g, t, t.x!), targetOf(g)),
    ref(a) {
      const y = dense(a.x!, a.w!, a.b!);
      return barlowRef(rows(y), rows(target), 0.05, 0, 1e-9) + mseRef(y);
    },
    zero: {},
  },
  "a bias before covariances (pls), weighted": {
    shapes: W,
    run: (g, t) => affine(g, pls(g, layer(g, t, t.x!), targetOf(g)), 1e4),
    ref: (a) => 1e4 * plsRef(rows(dense(a.x!, a.w!, a.b!)), rows(target)),
    zero: { b: true },
  },
  "biases of both sides of canonical correlations": {
    shapes: { x: [B, K], w: [2, K], b: [2], y: [B, K], w2: [2, K], b2: [2] },
    run: (g, t) => cca(g, layer(g, t, t.x!), layer(g, t, t.y!, "2"), { regularisation: 0.1 }),
    ref: (a) =>
      -canonicalRef(rows(dense(a.x!, a.w!, a.b!)), rows(dense(a.y!, a.w2!, a.b2!)), 0.1).reduce((s, v) => s + v, 0),
    zero: { b: true, b2: true },
  },
  "the shift of a normalisation before a linear layer and a correlation": {
    shapes: { x: [B, N], ...GB, w: [N, N], b: [N] },
    run: (g, t) => barlowSoft(g, layer(g, t, batchnorm(g, t.x!, { gamma: t.gamma, beta: t.beta })), targetOf(g)),
    ref: (a) => barlowRef(rows(dense(normal(a.x!, a.gamma!, a.beta!), a.w!, a.b!)), rows(target), 0.05, 0, 1e-9),
    zero: { b: true, beta: true },
  },
  "the shift of the last normalisation of tokens before Barlow Twins": {
    shapes: { x: [B, 3, 4], gamma: [4], beta: [4], y: [B, 8] },
    run(g, t) {
      const h = layernorm(g, t.x!, t.gamma, t.beta);
      return barlowTwins(g, concat(g, [select(g, h, 1, 0), meanTokens(g, h, { start: 1 })], 1), t.y!);
    },
    ref(a) {
      const h = layernormRef(a.x!, a.gamma!, a.beta!, 1e-5);
      const z = Float64Array.from({ length: B * 8 }, (_, i) => {
        const [b, d] = [Math.floor(i / 8), i % 8];
        return d < 4 ? h[b * 12 + d]! : (h[b * 12 + d]! + h[b * 12 + 4 + d]!) / 2;
      });
      return barlowRef(rows(z), rows(a.y!), 1, 5e-3, 1e-5);
    },
    zero: { beta: true },
  },
};

/** Gradients of a network on one kernel path. */
async function gradients(
  net: Net,
  values: Values,
  { flat, exact, again }: { flat: boolean; exact: boolean; again?: boolean },
): Promise<Values> {
  const device = gpu.withCaps({ flat });
  const store = new Store(device);
  const t = Object.fromEntries(
    Object.entries(net.shapes).map(([name, shape]) => {
      const tensor = store.from("weights", name, shape, values[name]!);
      tensor.requiresGrad = true;
      tensor.grad = store.from("gradients", `${name}.grad`, shape, new Float64Array(tensor.size));
      return [name, tensor];
    }),
  );
  const g = new Plan(device);
  g.exactZeros = exact;
  const names = Object.keys(t);
  const loss = again
    ? sumAll(
      g,
      checkpoint(
        g,
        (...inputs) => net.run(g, Object.fromEntries(names.map((name, i) => [name, inputs[i]!]))),
        Object.values(t),
      ),
    )
    : net.run(g, t);
  backwardFrom(g, loss);
  const program = await g.compile();
  program.run();
  const read = await readback(device, ...Object.values(t).map(({ grad }) => grad!));
  program.destroy();
  store.destroy();
  return Object.fromEntries(names.map((name, i) => [name, Float64Array.from(read[i] as Float32Array)]));
}

/** Gradient by central differences. */
function differences(net: Net, values: Values, name: string): Float64Array {
  return values[name]!.map((value, i) => {
    const at = (moved: number) => net.ref({ ...values, [name]: values[name]!.with(i, moved) });
    return (at(value + 1e-4) - at(value - 1e-4)) / 2e-4;
  });
}

const largest = (values: Float64Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

for (const [title, net] of Object.entries(NETS)) {
  Deno.test(`gradients by algebra 0: ${title}`, async () => {
    const rng = new Rng(5, 3);
    const values = Object.fromEntries(
      Object.entries(net.shapes).map(([name, shape]) => [
        name,
        Float64Array.from(rng.uniforms(shape.reduce((a, b) => a * b, 1), -1, 1)),
      ]),
    );
    const wanted = Object.fromEntries(Object.keys(net.shapes).map((name) => [name, differences(net, values, name)]));
    const scale = Math.max(...Object.values(wanted).map(largest));
    const inZero = (name: string, i: number) => {
      const range = net.zero[name];
      return range === true || (range !== undefined && i >= range[0] && i < range[1]);
    };
    for (const flat of [true, false]) {
      for (const again of [false, true]) {
        const got = await gradients(net, values, { flat, exact: true, again });
        for (const [name, data] of Object.entries(got)) {
          data.forEach((value, i) => {
            const [slope, zero] = [wanted[name]![i]!, inZero(name, i)];
            if (zero) assert.ok(Math.abs(slope) < 1e-8 * scale, `${name}[${i}] is ${slope} in float64`);
            if (zero) assert.equal(value, 0, `${name}[${i}]`);
            assert.ok(Math.abs(value - slope) < 1e-4 * scale, `${name}[${i}] is ${value}, wanted ${slope}`);
          });
          const rest = wanted[name]!.filter((_, i) => !inZero(name, i));
          if (rest.length > 0) assert.ok(largest(rest) > 1e-5 * scale, `${name} has a gradient`);
        }
      }
      // As the reference has them: the same up to rounding, computed.
      const noisy = await gradients(net, values, { flat, exact: false });
      for (const [name, data] of Object.entries(noisy)) {
        data.forEach((value, i) => assert.ok(Math.abs(value - wanted[name]![i]!) < 1e-4 * scale, `${name}[${i}]`));
      }
    }
  });
}
