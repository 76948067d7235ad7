/**
 * Peer: TensorFlow.js, WebGPU back end.
 *
 * The umbrella package is imported because it alone registers the gradients in a form that Deno loads. Its batched
 * submit (15 dispatches) is left at the default.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import config from "./deno.json" with { type: "json" };
import { idle } from "./device.ts";
import {
  BLOCK_PARAMS,
  type BlockArgs,
  type BlockParams,
  type BlockSpec,
  type HostTensor,
  type Peer,
  type VitSpec,
  type Work,
} from "./types.ts";
import { blockParams, LORA_RATE, OUTER, transposed } from "./vit.ts";

type T = tf.Tensor;
type Fn = (...args: T[]) => T | T[];

/** The parts of the back end used here; the package's own type needs an older set of WebGPU types. */
interface Backend {
  readonly device: GPUDevice;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

function put({ data, shape }: HostTensor): T {
  return tf.tensor(data, [...shape], "float32");
}

/** `x · w + b` in one kernel; weights are `[in, out]` here, see {@link own}. */
function linear(x: T, w: T, b: T): T {
  return tf.fused.matMul({ a: x, b: w, bias: b });
}

/** A matrix as this library keeps weights, `[in, out]`: its kernel for `[out, in]` takes 2.5 times as long. */
function own(tensor: HostTensor): HostTensor {
  return tensor.shape.length === 2 ? transposed(tensor) : tensor;
}

/** Parameters of a block in the order of their names, as this library keeps them. */
function ordered(params: BlockParams): HostTensor[] {
  return BLOCK_PARAMS.map((name) => own(params[name]));
}

function layernorm(x: T, g: T, b: T, eps: number): T {
  const mean = tf.mean(x, -1, true);
  const centred = tf.sub(x, mean);
  const variance = tf.mean(tf.square(centred), -1, true);
  return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, eps))), g), b);
}

function gelu(x: T): T {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
}

/** Attention of `[batch * tokens, heads * headDim]` matrices. */
function attention(qkv: readonly T[], tokens: number, heads: number, headDim: number, batch = 1): T {
  const shape = [batch, tokens, heads, headDim];
  const [q, k, v] = qkv.map((a) => tf.transpose(tf.reshape(a, shape), [0, 2, 1, 3])) as [T, T, T];
  const p = tf.softmax(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(headDim)));
  return tf.reshape(tf.transpose(tf.matMul(p, v), [0, 2, 1, 3]), [batch * tokens, heads * headDim]);
}

/** A block on rows of `batch` images. */
function blockForward(spec: BlockSpec, args: T[], batch = 1, lora?: { a: T; b: T; scale: number }): T {
  const { tokens, width, heads, eps } = spec;
  const [x, g1, b1, wqkv, bqkv, wproj, bproj, g2, b2, wfc1, bfc1, wfc2, bfc2] = args as unknown as BlockArgs<T>;
  const h = layernorm(x, g1, b1, eps);
  const frozen = linear(h, wqkv, bqkv);
  const all = lora ? tf.add(frozen, tf.mul(tf.matMul(tf.matMul(h, lora.a), lora.b, false, true), lora.scale)) : frozen;
  const qkv = tf.split(all, 3, 1);
  const r = tf.add(x, linear(attention(qkv, tokens, heads, width / heads, batch), wproj, bproj));
  const u = linear(layernorm(r, g2, b2, eps), wfc1, bfc1);
  return tf.add(r, linear(gelu(u), wfc2, bfc2));
}

function vitForward(spec: VitSpec, args: T[]): T {
  const { batch, image, patch, depth, width, heads, mlp, eps } = spec;
  const [x, token, positions, weight, bias, gain, offset] = args as [T, T, T, T, T, T, T];
  const tokens = 1 + (image / patch) ** 2;
  const embedded = tf.add(tf.conv2d(x as tf.Tensor4D, weight as tf.Tensor4D, patch, "valid"), bias);
  const all = tf.concat([tf.tile(token, [batch, 1, 1]), tf.reshape(embedded, [batch, tokens - 1, width])], 1);
  let y: T = tf.reshape(tf.add(all, positions), [batch * tokens, width]);
  const block = { tokens, width, heads, mlp, eps };
  for (let i = 0; i < depth; i++) {
    const from = 1 + OUTER.length + i * BLOCK_PARAMS.length;
    const rows = y;
    y = tf.tidy(() => blockForward(block, [rows, ...args.slice(from, from + BLOCK_PARAMS.length)], batch));
  }
  const first = tf.slice(tf.reshape(y, [batch, tokens, width]), [0, 0, 0], [batch, 1, width]);
  return layernorm(tf.reshape(first, [batch, width]), gain, offset, eps);
}

/** A convolution's weight `[out, in, height, width]` as `[height, width, in, out]`. */
function channelsLast({ shape, data }: HostTensor): HostTensor {
  const [out, channels, height, width] = shape as [number, number, number, number];
  const turned = new Float32Array(data.length), rest = channels * height * width;
  for (let i = 0; i < out; i++) {
    for (let j = 0; j < rest; j++) {
      const c = Math.floor(j / (height * width)), at = j % (height * width);
      turned[(at * channels + c) * out + i] = data[i * rest + j]!;
    }
  }
  return { shape: [height, width, channels, out], data: turned };
}

function work(
  fn: Fn,
  names: readonly string[],
  sets: readonly HostTensor[][],
  fixed: readonly HostTensor[] = [],
): Work {
  const backend = tf.backend() as unknown as Backend;
  const operands = sets.map((set) => set.map(put));
  const constants = fixed.map(put);
  let outputs: T[] = [];
  return {
    run(set) {
      tf.dispose(outputs);
      const result = tf.tidy(() => fn(...operands[set]!, ...constants));
      outputs = Array.isArray(result) ? result : [result];
    },
    wait() {
      // What the back end itself does before a readback.
      backend.ensureCommandEncoderReady();
      backend.endComputePassEncoder();
      backend.submitQueue();
      return idle(backend.device);
    },
    async read() {
      const values: Record<string, Float32Array> = {};
      for (const [i, name] of names.entries()) {
        // Matrices of weights, and their gradients, go back to `[out, in]`.
        const output = outputs[i]!, data = await output.data() as Float32Array<ArrayBuffer>;
        values[name] = /^(d?w|a$)/.test(name) ? transposed({ shape: output.shape, data }).data : data;
      }
      return values;
    },
    dispose: () => tf.dispose([...outputs, ...operands.flat(), ...constants]),
  };
}

/** TensorFlow.js as a peer. */
export const peer: Peer = {
  name: "tfjs",
  version: config.imports["@tensorflow/tfjs-backend-webgpu"].replace("npm:", ""),
  weights: "[in, out]",
  async init() {
    if (!await tf.setBackend("webgpu")) throw new Error("Cannot start the WebGPU back end of TensorFlow.js");
    await tf.ready();
  },
  gemm(_spec, sets) {
    return Promise.resolve(work((x, w) => tf.matMul(x!, w!), ["y"], sets.map((s) => [s.x!, own(s.w!)])));
  },
  layernorm({ eps }, sets) {
    return Promise.resolve(
      work((x, g, b) => layernorm(x!, g!, b!, eps), ["y"], sets.map((s) => [s.x!, s.g!, s.b!])),
    );
  },
  attention({ tokens, heads, headDim }, sets) {
    return Promise.resolve(
      work((...qkv) => attention(qkv, tokens, heads, headDim), ["y"], sets.map((s) => [s.q!, s.k!, s.v!])),
    );
  },
  block(spec, sets, params) {
    const fn: Fn = (...args) => blockForward(spec, args);
    return Promise.resolve(work(fn, ["y"], sets.map((s) => [s.x!]), ordered(params)));
  },
  vit(spec, sets, params) {
    const outer = OUTER.map((name) => params[name]!);
    outer[2] = channelsLast(outer[2]!);
    const blocks = Array.from({ length: spec.depth }, (_, i) => ordered(blockParams(params, i)));
    const fixed = [...outer, ...blocks.flat()];
    return Promise.resolve(work((...args) => vitForward(spec, args), ["y"], sets.map((s) => [s.x!]), fixed));
  },
  blockGrad(spec, sets, params) {
    const fn: Fn = (x, dy, ...rest) => tf.grads((...args) => blockForward(spec, args))([x!, ...rest], dy!);
    const names = ["dx", ...BLOCK_PARAMS.map((name) => `d${name}`)];
    return Promise.resolve(work(fn, names, sets.map((s) => [s.x!, s.dy!]), ordered(params)));
  },
  lora(spec, sets, params) {
    const fn: Fn = (x, dy, a, b, ...rest) => {
      const forward = (x: T, a: T, b: T): T => blockForward(spec, [x, ...rest], 1, { a, b, scale: spec.scale });
      const [dx, da, db] = tf.grads(forward as (...args: T[]) => T)([x!, a!, b!], dy!) as [T, T, T];
      return [dx, tf.sub(a!, tf.mul(da, LORA_RATE)), tf.sub(b!, tf.mul(db, LORA_RATE))];
    };
    // The outer factor stays `[out, in]`: the gradient of the other form is a 197x2304x16 product with a transpose, which this
    // library's split kernel gets wrong.
    const operands = sets.map((s) => [s.x!, s.dy!, own(s.a!), s.b!]);
    return Promise.resolve(work(fn, ["dx", "a", "b"], operands, ordered(params)));
  },
};
