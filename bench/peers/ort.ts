/**
 * Peer: ONNX Runtime Web, WebGPU execution provider. Inference only, so no gradients.
 *
 * Operands and outputs stay in GPU buffers. Attention uses the runtime's own MultiHeadAttention, which its optimiser
 * makes of exported transformers; GELU is written with Erf as exporters do, for the runtime to fuse.
 *
 * @module
 */

import * as ort from "onnxruntime-web/webgpu";
import sharp from "sharp";
import config from "./deno.json" with { type: "json" };
import { download, idle, storage, upload } from "./device.ts";
import { normalised } from "./jpegs.ts";
import { type Graph, model, type Node, op } from "./onnx.ts";
import { ONNX_FILE, PIXELS, vitGraph } from "./onnx_vit.ts";
import type { BlockParams, BlockSpec, HostTensor, HostTensors, Peer, Work } from "./types.ts";
import { channelsFirst } from "./vit.ts";

type Tensor = ReturnType<typeof ort.Tensor.fromGpuBuffer>;
type OrtBuffer = Parameters<typeof ort.Tensor.fromGpuBuffer>[0];

const OPTIONS = { executionProviders: ["webgpu"], logSeverityLevel: 3 } as const;

function mha(q: string, k: string, v: string, output: string, heads: number): Node {
  return op("MultiHeadAttention", [q, k, v], output, { num_heads: heads }, "com.microsoft");
}

function norm(x: string, g: string, b: string, output: string, eps: number): Node {
  return op("LayerNormalization", [x, g, b], output, { axis: 1, epsilon: { float: eps } });
}

function linear(x: string, w: string, b: string, output: string): Node {
  return op("Gemm", [x, w, b], output, { transB: 1 });
}

function blockGraph({ tokens, width, heads, eps }: BlockSpec, params: BlockParams): Graph {
  const scalar = (value: number): HostTensor => ({ shape: [], data: new Float32Array([value]) });
  return {
    inputs: { x: [tokens, width] },
    outputs: { y: [tokens, width] },
    weights: { ...params, half: scalar(0.5), one: scalar(1), root2: scalar(Math.SQRT2) },
    integers: { three: [1, tokens, 3 * width], two: [tokens, width], parts: [width, width, width] },
    nodes: [
      norm("x", "g1", "b1", "h1", eps),
      linear("h1", "wqkv", "bqkv", "qkv2"),
      op("Reshape", ["qkv2", "three"], "qkv"),
      { op: "Split", inputs: ["qkv", "parts"], outputs: ["q", "k", "v"], attributes: { axis: 2 } },
      mha("q", "k", "v", "o3", heads),
      op("Reshape", ["o3", "two"], "o"),
      linear("o", "wproj", "bproj", "p"),
      op("Add", ["x", "p"], "r"),
      norm("r", "g2", "b2", "h2", eps),
      linear("h2", "wfc1", "bfc1", "u"),
      op("Div", ["u", "root2"], "u1"),
      op("Erf", ["u1"], "u2"),
      op("Add", ["u2", "one"], "u3"),
      op("Mul", ["u", "u3"], "u4"),
      op("Mul", ["u4", "half"], "act"),
      linear("act", "wfc2", "bfc2", "m"),
      op("Add", ["r", "m"], "y"),
    ],
  };
}

/** A session for `graph` that reads its inputs from, and writes its outputs to, GPU buffers of ours. */
async function work(graph: Graph, sets: readonly HostTensors[]): Promise<Work> {
  const session = await ort.InferenceSession.create(model(graph), {
    ...OPTIONS,
    preferredOutputLocation: "gpu-buffer",
  });
  const device = await ort.env.webgpu.device as unknown as GPUDevice;
  const buffers: GPUBuffer[] = [];
  const wrap = (buffer: GPUBuffer, dims: readonly number[]): Tensor => {
    buffers.push(buffer);
    return ort.Tensor.fromGpuBuffer(buffer as unknown as OrtBuffer, { dataType: "float32", dims: [...dims] });
  };
  const size = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
  const feeds = sets.map((set) =>
    Object.fromEntries(
      Object.entries(graph.inputs).map(([name, dims]) => [name, wrap(upload(device, set[name]!.data), dims)]),
    )
  );
  const outputs = Object.entries(graph.outputs).map(([name, dims]) => {
    const buffer = storage(device, size(dims));
    return { name, buffer, length: size(dims), tensor: wrap(buffer, dims) };
  });
  const fetches = Object.fromEntries(outputs.map(({ name, tensor }) => [name, tensor]));
  return {
    async run(set) {
      await session.run(feeds[set]!, fetches);
    },
    wait: () => idle(device),
    async read() {
      const values: Record<string, Float32Array> = {};
      for (const { name, buffer, length } of outputs) values[name] = await download(device, buffer, length);
      return values;
    },
    async dispose() {
      await session.release();
      for (const buffer of buffers) buffer.destroy();
    },
  };
}

/** Decodes files as Transformers.js does in Deno, with libvips, and normalises them, channels first. */
async function pixels(files: readonly Uint8Array<ArrayBuffer>[], side: number): Promise<Float32Array<ArrayBuffer>> {
  const plane = side * side, x = new Float32Array(files.length * 3 * plane);
  await Promise.all(files.map(async (file, image) => {
    const bytes = await sharp(file).raw().toBuffer();
    for (let c = 0; c < 3; c++) {
      const at = (image * 3 + c) * plane;
      for (let i = 0; i < plane; i++) x[at + i] = normalised(bytes[3 * i + c]!);
    }
  }));
  return x;
}

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

/** ONNX Runtime Web as a peer. */
export const peer: Peer = {
  name: "ort",
  version: config.imports["onnxruntime-web/webgpu"].replace("npm:", "").replace("/webgpu", ""),
  init: () => Promise.resolve(),
  gemm({ m, n, k }, sets) {
    const nodes = [op("Gemm", ["x", "w"], "y", { transB: 1 })];
    return work({ nodes, inputs: { x: [m, k], w: [n, k] }, outputs: { y: [m, n] } }, sets);
  },
  layernorm({ rows, width, eps }, sets) {
    const inputs = { x: [rows, width], g: [width], b: [width] };
    return work({ nodes: [norm("x", "g", "b", "y", eps)], inputs, outputs: { y: [rows, width] } }, sets);
  },
  attention({ tokens, heads, headDim }, sets) {
    const shape = [1, tokens, heads * headDim];
    const nodes = [mha("q", "k", "v", "y", heads)];
    return work({ nodes, inputs: { q: shape, k: shape, v: shape }, outputs: { y: shape } }, sets);
  },
  block(spec, sets, params) {
    return work(blockGraph(spec, params), sets);
  },
  vit(spec, sets, params) {
    return work(vitGraph(spec, params), sets.map(({ x }) => ({ [PIXELS]: channelsFirst(x!) })));
  },
  async jpegs(spec, sets, params) {
    const session = await ort.InferenceSession.create(model(vitGraph(spec, params)), {
      ...OPTIONS,
      preferredOutputLocation: "gpu-buffer",
    });
    const device = await ort.env.webgpu.device as unknown as GPUDevice;
    const { batch, image, width } = spec;
    let y: ort.Tensor | undefined;
    return {
      async run(set) {
        const x = new ort.Tensor("float32", await pixels(sets[set]!, image), [batch, 3, image, image]);
        y?.dispose();
        y = (await session.run({ [PIXELS]: x })).y!;
      },
      wait: () => idle(device),
      async read() {
        return { y: await download(device, y!.gpuBuffer as unknown as GPUBuffer, batch * width) };
      },
      async dispose() {
        y?.dispose();
        await session.release();
      },
    };
  },
  async first(_spec, folder, x) {
    const session = await ort.InferenceSession.create(await Deno.readFile(`${folder}/${ONNX_FILE}`), OPTIONS);
    const { shape, data } = channelsFirst(x);
    const { y } = await session.run({ [PIXELS]: new ort.Tensor("float32", data, shape) });
    return { y: await y!.getData() as Float32Array };
  },
};
