/**
 * The whole models of the comparison: sizes, seeded weights, images.
 *
 * @module
 */

import { tensor } from "./seeded.ts";
import {
  BLOCK_PARAMS,
  type BlockParam,
  type BlockParams,
  type HostTensor,
  type HostTensors,
  type VitParams,
  type VitSpec,
} from "./types.ts";

/** Models by the name that cases give them. */
export const VITS: Readonly<Record<string, Omit<VitSpec, "batch">>> = {
  vit_s16: { model: "vit-s16", image: 224, patch: 16, depth: 12, width: 384, heads: 6, mlp: 1536, eps: 1e-6 },
  vit_b16: { model: "vit-b16", image: 224, patch: 16, depth: 12, width: 768, heads: 12, mlp: 3072, eps: 1e-6 },
};

const BLOCK_NAMES: Readonly<Record<BlockParam, string>> = {
  ...{ g1: "norm1.weight", b1: "norm1.bias", wqkv: "attn.qkv.weight", bqkv: "attn.qkv.bias" },
  ...{ wproj: "attn.proj.weight", bproj: "attn.proj.bias", g2: "norm2.weight", b2: "norm2.bias" },
  ...{ wfc1: "mlp.fc1.weight", bfc1: "mlp.fc1.bias", wfc2: "mlp.fc2.weight", bfc2: "mlp.fc2.bias" },
};

/** Parameters of a model besides those of the blocks, in the order in which peers of arrays take them; the blocks follow. */
export const OUTER: readonly string[] = [
  "cls_token",
  "pos_embed",
  "patch_embed.proj.weight",
  "patch_embed.proj.bias",
  "norm.weight",
  "norm.bias",
];

/** Parameters of block `index`. */
export function blockParams(params: VitParams, index: number): BlockParams {
  const entries = BLOCK_PARAMS.map((name) => [name, params[`blocks.${index}.${BLOCK_NAMES[name]}`]!]);
  return Object.fromEntries(entries) as BlockParams;
}

/** Seeded parameters of one block: weights keep the variance of their input, gains lie around 1, offsets around 0. */
export function seededBlock({ width: w, mlp }: { width: number; mlp: number }, seed: number): BlockParams {
  const shapes: Record<BlockParam, readonly number[]> = {
    ...{ g1: [w], b1: [w], wqkv: [3 * w, w], bqkv: [3 * w], wproj: [w, w], bproj: [w] },
    ...{ g2: [w], b2: [w], wfc1: [mlp, w], bfc1: [mlp], wfc2: [w, mlp], bfc2: [w] },
  };
  const params = BLOCK_PARAMS.map((name, i) => {
    const shape = shapes[name];
    const scale = shape.length === 2 ? Math.sqrt(3 / shape[1]!) : 0.3;
    return [name, tensor(shape, seed + i, scale, name.startsWith("g") ? 1 : 0)];
  });
  return Object.fromEntries(params) as BlockParams;
}

/** Seeded parameters of a model; the same for every batch. */
export function vitParams({ image, patch, depth, width, mlp }: Omit<VitSpec, "batch">): VitParams {
  const pixels = 3 * patch * patch, tokens = 1 + (image / patch) ** 2;
  const params: Record<string, HostTensor> = {
    cls_token: tensor([1, 1, width], 11, 1),
    pos_embed: tensor([1, tokens, width], 12, 0.5),
    "patch_embed.proj.weight": tensor([width, 3, patch, patch], 13, Math.sqrt(3 / pixels)),
    "patch_embed.proj.bias": tensor([width], 14, 0.3),
  };
  for (let i = 0; i < depth; i++) {
    for (const [name, value] of Object.entries(seededBlock({ width, mlp }, 1000 + 100 * i))) {
      params[`blocks.${i}.${BLOCK_NAMES[name as BlockParam]}`] = value;
    }
  }
  params["norm.weight"] = tensor([width], 15, 0.3, 1);
  params["norm.bias"] = tensor([width], 16, 0.3);
  return params;
}

/** Different images in a batch; they take turns, so that few references are enough. */
export const IMAGES = 2;

/** Image `index` of set `set`, `[1, image, image, 3]`: about zero mean and unit variance. */
export function seededImage({ image }: Omit<VitSpec, "batch">, set: number, index: number): HostTensor {
  return tensor([1, image, image, 3], 500 + IMAGES * set + index, 1.7);
}

/** Operand set `set`: input `x`. */
export function seededImages(spec: VitSpec, set: number): HostTensors {
  const { batch, image } = spec, size = image * image * 3;
  const data = new Float32Array(batch * size);
  for (let i = 0; i < batch; i++) data.set(seededImage(spec, set, i % IMAGES).data, i * size);
  return { x: { shape: [batch, image, image, 3], data } };
}

/** `[B, H, W, 3]` to `[B, 3, H, W]`. */
export function channelsFirst({ shape, data }: HostTensor): HostTensor {
  const [batch, height, width, channels] = shape as [number, number, number, number];
  const plane = height * width, out = new Float32Array(data.length);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < plane; i++) {
      for (let c = 0; c < channels; c++) out[(b * channels + c) * plane + i] = data[(b * plane + i) * channels + c]!;
    }
  }
  return { shape: [batch, channels, height, width], data: out };
}

/** Products and sums of the matrix products. */
export function vitFlops({ batch, image, patch, depth, width: w, mlp }: VitSpec): number {
  const patches = (image / patch) ** 2, n = 1 + patches;
  return batch * (2 * patches * 3 * patch * patch * w + depth * (2 * n * w * (4 * w + 2 * mlp) + 4 * n * n * w));
}

/** The transpose of a matrix. */
export function transposed({ shape, data }: HostTensor): HostTensor {
  const [rows, columns] = shape as [number, number], out = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = data[i * columns + j]!;
  return { shape: [columns, rows], data: out };
}

/** Step of a LoRA update: large, so that the new factors are mostly gradient and the gate sees it. */
export const LORA_RATE = 1;
