/**
 * Peer: this project's engine. Each operand set is a compiled plan of its own; weights are shared.
 *
 * @module
 */

import { backward } from "../../src/autodiff/backward.ts";
import { type Gpu, requestGpu } from "../../src/gpu/device.ts";
import { readback } from "../../src/gpu/readback.ts";
import { Plan } from "../../src/graph/plan.ts";
import type { Program } from "../../src/graph/program.ts";
import { Store } from "../../src/graph/store.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { openFile } from "../../src/io/fs.ts";
import { decodeJpeg } from "../../src/io/image/jpeg.ts";
import { openWeights } from "../../src/io/torch/weights.ts";
import { createEncoder } from "../../src/models/encoder.ts";
import { findEncoder } from "../../src/models/encoder_registry.ts";
import { loadEncoder } from "../../src/models/load.ts";
import { applyBlock, type Block } from "../../src/nn/block.ts";
import { Parameters } from "../../src/nn/parameters.ts";
import { selfAttention } from "../../src/ops/attention.ts";
import { concat } from "../../src/ops/concat.ts";
import { layernorm } from "../../src/ops/layernorm.ts";
import { linear } from "../../src/ops/linear.ts";
import { affine } from "../../src/ops/scale.ts";
import { sub } from "../../src/ops/binary.ts";
import { idle } from "./device.ts";
import { WEIGHTS_FILE } from "./model_files.ts";
import {
  BLOCK_PARAMS,
  type BlockParam,
  type BlockParams,
  type BlockSpec,
  type HostTensor,
  type HostTensors,
  type LoraSpec,
  type Peer,
  type VitParams,
  type VitSpec,
  type Work,
} from "./types.ts";
import { LORA_RATE } from "./vit.ts";

/** Set by `init`, or by `first`; one peer runs in a process. */
let gpu: Gpu;

type Tensors<K extends string = string> = Record<K, Tensor>;

function put<K extends string>(
  store: Store,
  group: string,
  tensors: Readonly<Record<K, HostTensor>>,
): Tensors<K> {
  return Object.fromEntries(
    Object.entries<HostTensor>(tensors).map((
      [name, { shape, data }],
    ) => [name, store.from(group, name, shape, data)]),
  ) as Tensors<K>;
}

/** Work from a function that appends the op; its results are the outputs. */
async function work(
  sets: readonly HostTensors[],
  append: (g: Plan, inputs: Tensors) => Record<string, Tensor>,
  store = new Store(gpu),
): Promise<Work> {
  const programs: Program[] = [];
  const outputs: Record<string, Tensor>[] = [];
  for (const set of sets) {
    const g = new Plan(gpu);
    const results = append(g, put(store, "input", set));
    g.output(...Object.values(results));
    programs.push(await g.compile());
    outputs.push(results);
  }
  let latest = 0;
  return {
    run(set) {
      programs[latest = set]!.run();
    },
    wait: () => idle(gpu.device),
    async read() {
      const names = Object.keys(outputs[latest]!);
      const values = await readback(gpu, ...Object.values(outputs[latest]!));
      return Object.fromEntries(names.map((name, i) => [name, values[i] as Float32Array]));
    },
    dispose() {
      for (const program of programs) program.destroy();
      store.destroy();
    },
  };
}

function blockOf(p: Tensors<BlockParam>, eps: number): Block {
  const layer = (weight: Tensor, bias: Tensor) => ({ weight, bias, lora: undefined });
  return {
    norm1: { weight: p.g1, bias: p.b1, eps },
    qkv: layer(p.wqkv, p.bqkv),
    proj: layer(p.wproj, p.bproj),
    ls1: undefined,
    norm2: { weight: p.g2, bias: p.b2, eps },
    fc1: layer(p.wfc1, p.bfc1),
    fc2: layer(p.wfc2, p.bfc2),
    ls2: undefined,
  };
}

async function block(spec: BlockSpec, sets: readonly HostTensors[], params: BlockParams, grad: boolean): Promise<Work> {
  const store = new Store(gpu);
  const weights = put(store, "weights", params);
  const layers = blockOf(weights, spec.eps);
  return await work(sets, (g, { x, dy }) => {
    const wanted = [x!, ...BLOCK_PARAMS.map((name) => weights[name])];
    for (const tensor of wanted) tensor.requiresGrad = grad;
    const y = applyBlock(g, layers, x!.reshape([1, spec.tokens, spec.width]), { heads: spec.heads, mlp: "gelu" });
    if (!grad) return { y };
    const grads = backward(g, [{ tensor: y, grad: dy! }]);
    const names = ["dx", ...BLOCK_PARAMS.map((name) => `d${name}`)];
    return Object.fromEntries(names.map((name, i) => [name, grads.of(wanted[i]!)!]));
  }, store);
}

async function vit(spec: VitSpec, sets: readonly HostTensors[], params: VitParams): Promise<Work> {
  const parameters = new Parameters(gpu, false);
  const encoder = createEncoder(parameters, findEncoder(spec.model));
  parameters.allocate();
  parameters.load(new Map(Object.entries(params)));
  const made = await work(sets, (g, { x }) => ({ y: encoder.forward(g, x!).embedding }));
  const dispose = async (): Promise<void> => {
    await made.dispose();
    parameters.destroy();
  };
  return { ...made, dispose };
}

const first: NonNullable<Peer["first"]> = async (spec, folder, x, stage) => {
  gpu = await requestGpu(navigator.gpu);
  stage?.("open");
  const weights = await openWeights(await openFile(`${folder}/${WEIGHTS_FILE}`));
  const encoder = await loadEncoder(gpu, weights, { spec: findEncoder(spec.model) });
  weights.close();
  if (stage) {
    await idle(gpu.device);
    stage("loaded");
  }
  const g = new Plan(gpu);
  const { embedding } = encoder.forward(g, new Store(gpu).from("input", "images", x.shape, x.data));
  g.output(embedding);
  const program = await g.compile();
  program.run();
  const [y] = await readback(gpu, embedding);
  return { y: y as Float32Array, planBytes: program.memory.total };
};

async function lora(spec: LoraSpec, sets: readonly HostTensors[], params: BlockParams): Promise<Work> {
  const store = new Store(gpu);
  const layers = blockOf(put(store, "weights", params), spec.eps);
  return await work(sets, (g, { x, dy, a, b }) => {
    for (const tensor of [x!, a!, b!]) tensor.requiresGrad = true;
    const qkv = { ...layers.qkv, lora: { name: "qkv", dropout: 0, a: a!, b: b!, scale: spec.scale } };
    const rows = x!.reshape([1, spec.tokens, spec.width]);
    const y = applyBlock(g, { ...layers, qkv }, rows, { heads: spec.heads, mlp: "gelu" });
    const grads = backward(g, [{ tensor: y, grad: dy! }]);
    const next = (factor: Tensor): Tensor => sub(g, factor, affine(g, grads.of(factor)!, LORA_RATE));
    return { dx: grads.of(x!)!, a: next(a!), b: next(b!) };
  }, store);
}

const jpegs: NonNullable<Peer["jpegs"]> = async (spec, sets, params) => {
  const parameters = new Parameters(gpu, false);
  const encoder = createEncoder(parameters, findEncoder(spec.model));
  parameters.allocate();
  parameters.load(new Map(Object.entries(params)));
  const store = new Store(gpu), g = new Plan(gpu);
  const size = 3 * spec.image ** 2, bytes = new Uint8Array(spec.batch * size);
  const tiles = store.tensor("input", "tiles", [spec.batch, spec.image, spec.image, 3], "u8");
  store.allocate();
  const { embedding } = encoder.forward(g, tiles);
  g.output(embedding);
  const program = await g.compile();
  return {
    run(set) {
      for (const [i, file] of sets[set]!.entries()) bytes.set(decodeJpeg(file, "seeded image").data, i * size);
      store.write(tiles, bytes);
      program.run();
    },
    wait: () => idle(gpu.device),
    async read() {
      return { y: (await readback(gpu, embedding))[0] as Float32Array };
    },
    dispose() {
      program.destroy();
      store.destroy();
      parameters.destroy();
    },
  };
};

/** This project's engine as a peer, with the kernels that the device asks for, or those of `flat`. */
export const enginePeer = (name: string, flat?: boolean): Peer => ({
  name,
  version: "this tree",
  async init() {
    gpu = await requestGpu(navigator.gpu, flat === undefined ? {} : { flat });
  },
  gemm: (_, sets) => work(sets, (g, { x, w }) => ({ y: linear(g, x!, { weight: w! }) })),
  layernorm: ({ eps }, sets) => work(sets, (g, { x, g: gamma, b }) => ({ y: layernorm(g, x!, gamma!, b!, { eps }) })),
  attention: ({ tokens, heads, headDim }, sets) =>
    work(sets, (g, { q, k, v }) => {
      const packed = concat(g, [q!, k!, v!], 1).reshape([1, tokens, 3 * heads * headDim]);
      return { y: selfAttention(g, packed, { heads }).reshape([tokens, heads * headDim]) };
    }),
  block: (spec, sets, params) => block(spec, sets, params, false),
  blockGrad: (spec, sets, params) => block(spec, sets, params, true),
  lora,
  vit,
  jpegs,
  ...(flat === undefined && { first }),
});

/** With the kernels that the device asks for. */
export const peer: Peer = enginePeer("engine");
