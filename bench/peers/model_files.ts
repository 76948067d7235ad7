/**
 * A model on disk, as each peer wants it: safetensors for our engine, ONNX and a configuration for the others.
 *
 * @module
 */

import { safetensorsChunks, type SafetensorsInput } from "../../src/io/torch/safetensors.ts";
import { model } from "./onnx.ts";
import { ONNX_FILE, vitGraph } from "./onnx_vit.ts";
import type { HostTensor, VitParams, VitSpec } from "./types.ts";

/** Weights for our engine. */
export const WEIGHTS_FILE = "model.safetensors";

const bytesOf = ({ data }: HostTensor): Uint8Array<ArrayBuffer> =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Writes the ONNX model and the configuration that Transformers.js wants. */
export async function writeOnnx(folder: string, spec: VitSpec, params: VitParams): Promise<void> {
  await Deno.mkdir(`${folder}/onnx`, { recursive: true });
  await Deno.writeFile(`${folder}/${ONNX_FILE}`, model(vitGraph(spec, params)));
  const config = { model_type: "vit", architectures: ["ViTModel"] };
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
}

/** Writes the weights for our engine. */
export async function writeWeights(folder: string, params: VitParams): Promise<void> {
  const tensors = new Map<string, SafetensorsInput>();
  for (const [name, tensor] of Object.entries(params)) {
    tensors.set(name, { dtype: "F32", shape: tensor.shape, data: bytesOf(tensor) });
  }
  const file = await Deno.open(`${folder}/${WEIGHTS_FILE}`, { write: true, create: true, truncate: true });
  await ReadableStream.from(safetensorsChunks(tensors)).pipeTo(file.writable);
}
