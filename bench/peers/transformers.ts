/**
 * Peer: Transformers.js on ONNX Runtime Web, WebGPU execution provider. Whole models only.
 *
 * Imported from npm, Transformers.js takes Deno for Node and runs on the native onnxruntime-node; its WebGPU is Dawn,
 * which refuses llvmpipe: "Failed to get a WebGPU adapter: No supported adapters" (its adapter lacks
 * shaderUniform*ArrayDynamicIndexing). The browser build cannot be used either: it imports ONNX Runtime from a `blob:`
 * URL, which Deno refuses inside of npm packages. What works is the hook for runtimes that bring their own ONNX Runtime,
 * `globalThis[Symbol.for("onnxruntime")]`. With it, `device` knows no "webgpu" any more, so the execution provider is
 * named in `session_options`.
 *
 * @module
 */

import * as ort from "onnxruntime-web/webgpu";
import config from "./deno.json" with { type: "json" };
import { download, idle, upload } from "./device.ts";
import { MEAN, STD } from "./jpegs.ts";
import { writeOnnx } from "./model_files.ts";
import { PIXELS } from "./onnx_vit.ts";
import type { HostTensor, Peer, VitParams, VitSpec } from "./types.ts";
import { channelsFirst } from "./vit.ts";

type Hub = typeof import("@huggingface/transformers");
type Model = Awaited<ReturnType<Hub["AutoModel"]["from_pretrained"]>>;
type OrtBuffer = Parameters<typeof ort.Tensor.fromGpuBuffer>[0];
type Location = "cpu" | "gpu-buffer";

let hub: Hub;

/** Imports Transformers.js on top of this ONNX Runtime. */
async function start(): Promise<void> {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const create = async (file: string, options: ort.InferenceSession.SessionOptions) =>
    await ort.InferenceSession.create(await Deno.readFile(file), options);
  Object.assign(globalThis, { [Symbol.for("onnxruntime")]: { ...ort, InferenceSession: { create } } });
  // Not before the hook is set.
  hub = await import("@huggingface/transformers");
  Object.assign(hub.env, { allowRemoteModels: false, useWasmCache: false });
  // Its default is a content delivery network.
  delete ort.env.wasm.wasmPaths;
}

async function open(folder: string, preferredOutputLocation: Location): Promise<Model> {
  const at = folder.lastIndexOf("/");
  hub.env.localModelPath = folder.slice(0, at);
  return await hub.AutoModel.from_pretrained(folder.slice(at + 1), {
    device: "auto",
    dtype: "fp32",
    session_options: { executionProviders: ["webgpu"], preferredOutputLocation, logSeverityLevel: 3 },
  });
}

/** A model whose outputs stay on the device. */
async function opened(spec: VitSpec, params: VitParams): Promise<{ model: Model; device: GPUDevice }> {
  const folder = await Deno.makeTempDir({ prefix: "peers-vit-" });
  await writeOnnx(folder, spec, params);
  const model = await open(folder, "gpu-buffer");
  await Deno.remove(folder, { recursive: true });
  return { model, device: await ort.env.webgpu.device as unknown as GPUDevice };
}

/** Tensor of Transformers.js in a GPU buffer. */
function resident(device: GPUDevice, { shape, data }: HostTensor) {
  const buffer = upload(device, data);
  const options = { dataType: "float32", dims: [...shape] } as const;
  const tensor = ort.Tensor.fromGpuBuffer(buffer as unknown as OrtBuffer, options);
  return { buffer, pixels: new hub.Tensor(tensor as never) };
}

/** Transformers.js as a peer. */
export const peer: Peer = {
  name: "transformers",
  version: config.imports["@huggingface/transformers"].replace("npm:", ""),
  init: start,
  async vit(spec, sets, params) {
    const { model, device } = await opened(spec, params);
    const inputs = sets.map(({ x }) => resident(device, channelsFirst(x!)));
    let y: ort.Tensor | undefined;
    return {
      async run(set) {
        y?.dispose();
        y = (await model({ [PIXELS]: inputs[set]!.pixels })).y.ort_tensor as ort.Tensor;
      },
      wait: () => idle(device),
      async read() {
        return { y: await download(device, y!.gpuBuffer as unknown as GPUBuffer, spec.batch * spec.width) };
      },
      async dispose() {
        y?.dispose();
        await model.dispose();
        for (const { buffer } of inputs) buffer.destroy();
      },
    };
  },
  async jpegs(spec, sets, params) {
    const { model, device } = await opened(spec, params);
    const [image_mean, image_std] = [[MEAN, MEAN, MEAN], [STD, STD, STD]];
    const prepare = new hub.ViTImageProcessor({
      ...{ do_resize: false, do_rescale: true, rescale_factor: 1 / 255, do_normalize: true, image_mean, image_std },
    });
    let y: ort.Tensor | undefined;
    return {
      async run(set) {
        const images = await Promise.all(sets[set]!.map((file) => hub.RawImage.fromBlob(new Blob([file]))));
        const { pixel_values } = await prepare(images);
        y?.dispose();
        y = (await model({ [PIXELS]: pixel_values })).y.ort_tensor as ort.Tensor;
      },
      wait: () => idle(device),
      async read() {
        return { y: await download(device, y!.gpuBuffer as unknown as GPUBuffer, spec.batch * spec.width) };
      },
      async dispose() {
        y?.dispose();
        await model.dispose();
      },
    };
  },
  async first(_spec, folder, x) {
    await start();
    const model = await open(folder, "cpu");
    const { shape, data } = channelsFirst(x);
    const { y } = await model({ [PIXELS]: new hub.Tensor("float32", data, [...shape]) });
    return { y: y.data as Float32Array };
  },
};
