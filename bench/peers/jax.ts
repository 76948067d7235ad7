/**
 * Peer: jax-js, WebGPU back end, everything under `jit`.
 *
 * jax-js is lazy and drops work whose result is disposed before it was submitted, so each iteration forces its submit
 * with `gpuBufferSync()`, which neither waits nor reads back.
 *
 * @module
 */

import * as jax from "@jax-js/jax";
import config from "./deno.json" with { type: "json" };
import { download, idle } from "./device.ts";
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
import { blockParams, LORA_RATE, OUTER } from "./vit.ts";

const { jit, nn, numpy: np, vjp } = jax;
type A = jax.Array;
type Fn = (...args: A[]) => A | A[];

function put({ data, shape }: HostTensor): A {
  return np.array(data, { shape: [...shape] });
}

/** `x · wᵀ + b`. */
function linear(x: A, w: A, b: A): A {
  return np.matmul(x, w.transpose()).add(b);
}

function layernorm(x: A, g: A, b: A, eps: number): A {
  return nn.standardize(x, -1, { epsilon: eps }).mul(g).add(b);
}

/** A block on rows of `batch` images. */
function blockForward(spec: BlockSpec, args: A[], batch = 1, lora?: { a: A; b: A; scale: number }): A {
  const { tokens, width, heads, eps } = spec;
  const [x, g1, b1, wqkv, bqkv, wproj, bproj, g2, b2, wfc1, bfc1, wfc2, bfc2] = args as unknown as BlockArgs<A>;
  const h = layernorm(x.ref, g1, b1, eps);
  const added = lora && np.matmul(np.matmul(h.ref, lora.a.transpose()), lora.b.transpose()).mul(lora.scale);
  const frozen = linear(h, wqkv, bqkv);
  const qkv = (added ? frozen.add(added) : frozen).reshape([batch, tokens, 3, heads, width / heads]);
  const [q, k, v] = [qkv.ref.slice([], [], 0), qkv.ref.slice([], [], 1), qkv.slice([], [], 2)] as [A, A, A];
  const o = nn.dotProductAttention(q, k, v).reshape([batch * tokens, width]);
  const r = x.add(linear(o, wproj, bproj));
  const u = linear(layernorm(r.ref, g2, b2, eps), wfc1, bfc1);
  return r.add(linear(nn.gelu(u, { approximate: false }), wfc2, bfc2));
}

function vitForward(spec: VitSpec, args: A[]): A {
  const { batch, image, patch, depth, width, heads, mlp, eps } = spec;
  const [x, token, positions, weight, bias, gain, offset] = args as [A, A, A, A, A, A, A];
  const across = image / patch, tokens = 1 + across ** 2, pixels = 3 * patch ** 2;
  // Rows of the patches, channels last; the weight follows.
  const rows = x.reshape([batch, across, patch, across, patch, 3]).transpose([0, 1, 3, 2, 4, 5]);
  const kernel = weight.transpose([0, 2, 3, 1]).reshape([width, pixels]);
  const embedded = linear(rows.reshape([batch * across ** 2, pixels]), kernel, bias);
  const first = np.broadcastTo(token, [batch, 1, width]);
  const all = np.concatenate([first, embedded.reshape([batch, across ** 2, width])], 1).add(positions);
  let y = all.reshape([batch * tokens, width]);
  const block = { tokens, width, heads, mlp, eps };
  for (let i = 0; i < depth; i++) {
    const from = 1 + OUTER.length + i * BLOCK_PARAMS.length;
    y = blockForward(block, [y, ...args.slice(from, from + BLOCK_PARAMS.length)], batch);
  }
  return layernorm(y.reshape([batch, tokens, width]).slice([], 0), gain, offset, eps);
}

/** Work from a function of arrays; `names` are its outputs, `sets` the arguments that change. */
function work(
  fn: Fn,
  names: readonly string[],
  sets: readonly HostTensor[][],
  fixed: readonly HostTensor[] = [],
): Work {
  const device = jax.getWebGPUDevice();
  const compiled = jit(fn as (...args: A[]) => A[]);
  const operands = sets.map((set) => set.map(put));
  const constants = fixed.map(put);
  let sizes: number[] = [], buffers: GPUBuffer[] = [], outputs: A[] = [];
  return {
    run(set) {
      for (const output of outputs) output.dispose();
      const result = compiled(...operands[set]!.map((a) => a.ref), ...constants.map((a) => a.ref));
      outputs = Array.isArray(result) ? result : [result];
      sizes = outputs.map((a) => a.size);
      buffers = outputs.map((a) => a.ref.gpuBufferSync());
    },
    wait: () => idle(device),
    async read() {
      const values: Record<string, Float32Array> = {};
      for (const [i, name] of names.entries()) values[name] = await download(device, buffers[i]!, sizes[i]!);
      return values;
    },
    dispose() {
      for (const a of [...outputs, ...operands.flat(), ...constants]) a.dispose();
      compiled.dispose();
    },
  };
}

const ordered = (params: BlockParams): HostTensor[] => BLOCK_PARAMS.map((name) => params[name]);

/** jax-js as a peer. */
export const peer: Peer = {
  name: "jax",
  version: config.imports["@jax-js/jax"].replace("npm:", ""),
  async init() {
    await jax.init("webgpu");
    jax.defaultDevice("webgpu");
  },
  gemm(_spec, sets) {
    const fn = (x: A, w: A): A => np.matmul(x, w.transpose());
    return Promise.resolve(work(fn as Fn, ["y"], sets.map((s) => [s.x!, s.w!])));
  },
  layernorm(spec, sets) {
    const fn = (x: A, g: A, b: A): A => layernorm(x, g, b, spec.eps);
    return Promise.resolve(work(fn as Fn, ["y"], sets.map((s) => [s.x!, s.g!, s.b!])));
  },
  attention({ tokens, heads, headDim }, sets) {
    const fn = (...qkv: A[]): A => {
      const [q, k, v] = qkv.map((a) => a.reshape([tokens, heads, headDim])) as [A, A, A];
      return nn.dotProductAttention(q, k, v).reshape([tokens, heads * headDim]);
    };
    return Promise.resolve(work(fn, ["y"], sets.map((s) => [s.q!, s.k!, s.v!])));
  },
  block(spec, sets, params) {
    return Promise.resolve(
      work((...args) => blockForward(spec, args), ["y"], sets.map((s) => [s.x!]), ordered(params)),
    );
  },
  lora(spec, sets, params) {
    const fn: Fn = (x, dy, a, b, ...rest) => {
      const forward = (x: A, a: A, b: A): A =>
        blockForward(spec, [x, ...rest.map((p) => p.ref)], 1, { a, b, scale: spec.scale });
      const [y, back] = vjp(forward as (...args: A[]) => A, [x!, a!.ref, b!.ref]);
      y.dispose();
      const [dx, da, db] = back(dy!) as [A, A, A];
      back.dispose();
      return [dx, a!.sub(da.mul(LORA_RATE)), b!.sub(db.mul(LORA_RATE))];
    };
    const operands = sets.map((s) => [s.x!, s.dy!, s.a!, s.b!]);
    return Promise.resolve(work(fn, ["dx", "a", "b"], operands, ordered(params)));
  },
  vit(spec, sets, params) {
    const outer = OUTER.map((name) => params[name]!);
    const blocks = Array.from({ length: spec.depth }, (_, i) => ordered(blockParams(params, i)));
    const fixed = [...outer, ...blocks.flat()];
    return Promise.resolve(work((...args) => vitForward(spec, args), ["y"], sets.map((s) => [s.x!]), fixed));
  },
  blockGrad(spec, sets, params) {
    const fn: Fn = (x, dy, ...rest) => {
      const [y, back] = vjp((...args: A[]) => blockForward(spec, args), [x!, ...rest]);
      y.dispose();
      const grads = back(dy!) as A[];
      back.dispose();
      return grads;
    };
    const names = ["dx", ...BLOCK_PARAMS.map((name) => `d${name}`)];
    return Promise.resolve(work(fn, names, sets.map((s) => [s.x!, s.dy!]), ordered(params)));
  },
};
