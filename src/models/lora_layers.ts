/**
 * LoRA adapters as `vit.ts` sees them: one pair of matrices a layer, whether the original model keeps query, key and value apart or
 * not. The patch embedding, a convolution whose stride is its kernel, is a linear layer of the pixels of a patch.
 *
 * @module
 */

import { WeightsError } from "../core/errors.ts";
import { formatShape, sameShape, type Shape, sizeOf } from "../core/shape.ts";
import { type Adapter, type AdapterModule, leaveOut } from "../io/torch/peft.ts";
import type { WeightTensor } from "../io/torch/weight_tensor.ts";
import type { LoraOptions } from "../nn/layers.ts";
import type { FamilyName } from "./encoder_spec.ts";
import type { Keymap } from "./families/keymap.ts";
import { layerOfModule, type LayerPiece, piecesWith } from "./families/modules.ts";

/** An adapter's matrices for one layer, joined where the original model keeps q, k and v apart. */
export interface LayerAdapter {
  /** Rows of A. */
  readonly rank: number;
  /** Factor of B·A. */
  readonly scale: number;
  /** A, `[rank, in]`. */
  readonly a: Float32Array;
  /** B, `[out, rank]`. */
  readonly b: Float32Array;
}

/** Shape of what is adapted and the modules that lie in its rows, in order; undefined where one is not adapted. */
interface Place {
  readonly layer: string;
  readonly shape: Shape;
  readonly modules: readonly (AdapterModule<WeightTensor> | undefined)[];
}

/** Refuses matrices that are not of this layer: linear on linear, convolution on the same convolution. */
function checkShapes({ layer, shape, modules }: Place): void {
  const [rows = 0, ...input] = shape;
  const ones = input.length === 1 ? [] : [1, 1];
  for (const module of modules) {
    if (!module) continue;
    const wanted = [[module.rank, ...input], [rows / modules.length, module.rank, ...ones]] as const;
    if (sameShape(module.a.shape, wanted[0]) && sameShape(module.b.shape, wanted[1])) continue;
    const [a, b] = wanted.map((extents) => formatShape(extents));
    throw new WeightsError(
      `Cannot apply the adapter to ${layer}: A is ${formatShape(module.a.shape)} and B ${
        formatShape(module.b.shape)
      }, wanted ${a} and ${b}`,
      { hint: "Give the encoder the adapter was made for", context: { keys: [layer] } },
    );
  }
}

async function joinModules(place: Place): Promise<LayerAdapter> {
  checkShapes(place);
  const { shape, modules } = place;
  const [rows, columns] = [shape[0]!, sizeOf(shape.slice(1))];
  const present = modules.filter((module) => module !== undefined);
  const rank = present.reduce((sum, module) => sum + module.rank, 0);
  const scale = present.find((module) => module.scale !== 0)?.scale ?? 0;
  const a = new Float32Array(rank * columns);
  const b = new Float32Array(rows * rank);
  const height = rows / modules.length;
  let at = 0;
  for (const [piece, module] of modules.entries()) {
    if (!module) continue;
    a.set(await module.a.readF32(), at * columns);
    const part = await module.b.readF32();
    // Pieces with another scale than the first carry the difference in B.
    const factor = scale === 0 ? 1 : module.scale / scale;
    for (let i = 0; i < height; i++) {
      for (let r = 0; r < module.rank; r++) {
        b[(piece * height + i) * rank + at + r] = part[i * module.rank + r]! * factor;
      }
    }
    at += module.rank;
  }
  return { rank, scale, a, b };
}

function refuse(module: string, what: string): never {
  throw new WeightsError(`Cannot apply the adapter: it adapts ${module}, ${what}`, {
    code: "weights-adapter",
    hint: leaveOut(module),
    context: { keys: [module] },
  });
}

/** A tensor of the file that is no part of the encoder and that a module adapts, such as the pooler of transformers' ViT. */
function besideOf(module: string, keymap: Keymap): string | undefined {
  return keymap.ignored.find((name) => name === `${module}.weight` || name.endsWith(`.${module}.weight`));
}

/**
 * The adapter's layers by the names of `vit.ts`. Modules beside the encoder, which its embedding does not depend on, are left out:
 * {@linkcode adaptedBeside} gives them.
 *
 * @param keymap Of the weights it is to be applied to.
 * @throws {WeightsError} If it adapts what the encoder has not, naming the module, or has matrices of other shapes.
 */
export async function adaptedLayers(adapter: Adapter, keymap: Keymap): Promise<Map<string, LayerAdapter>> {
  const shapes = new Map(keymap.entries.map(({ target, shape }) => [target, shape]));
  const found = new Map<string, Map<LayerPiece | undefined, AdapterModule<WeightTensor>>>();
  for (const [path, module] of adapter.modules) {
    const place = layerOfModule(keymap.family, path);
    if (!place || !shapes.has(`${place.layer}.weight`)) {
      if (besideOf(path, keymap) !== undefined) continue;
      refuse(path, "which this encoder has not, wanted linear layers of its blocks or its patch embedding");
    }
    const pieces = found.get(place.layer) ?? new Map();
    if (pieces.has(place.piece)) refuse(path, `which another of its modules adapts as ${place.layer}, wanted one`);
    found.set(place.layer, pieces.set(place.piece, module));
  }
  const out = new Map<string, LayerAdapter>();
  for (const [layer, pieces] of found) {
    const order = piecesWith([...pieces.keys()][0]);
    const mixed = [...pieces.keys()].find((piece) => !order.includes(piece));
    if (pieces.size > order.length || mixed !== undefined) refuse(layer, "whole and in pieces, wanted one of the two");
    const modules = order.map((piece) => pieces.get(piece));
    out.set(layer, await joinModules({ layer, shape: shapes.get(`${layer}.weight`)!, modules }));
  }
  return out;
}

/**
 * What an adapter changes in tensors of the file that are no part of the encoder, by their names in the file: nothing that an
 * embedding shows, but a merged file holds them.
 *
 * @throws {WeightsError} If matrices have other shapes.
 */
export async function adaptedBeside(
  adapter: Adapter,
  keymap: Keymap,
  tensors: ReadonlyMap<string, WeightTensor>,
): Promise<Map<string, LayerAdapter>> {
  const out = new Map<string, LayerAdapter>();
  for (const [path, module] of adapter.modules) {
    const place = layerOfModule(keymap.family, path);
    const name = place && keymap.entries.some(({ target }) => target === `${place.layer}.weight`)
      ? undefined
      : besideOf(path, keymap);
    if (name !== undefined) {
      out.set(name, await joinModules({ layer: path, shape: tensors.get(name)!.shape, modules: [module] }));
    }
  }
  return out;
}

/**
 * The low-rank updates that an encoder is built with to take an adapter as this project writes it, whose pieces of one layer share
 * A: by the names of `vit.ts`.
 */
export function updatesOf(adapter: Adapter, family: FamilyName): Map<string, LoraOptions> {
  const out = new Map<string, LoraOptions>();
  for (const [module, { rank, scale }] of adapter.modules) {
    const layer = layerOfModule(family, module)?.layer;
    if (layer !== undefined) out.set(layer, { rank, alpha: scale * rank });
  }
  return out;
}

/**
 * Adds s B A to a weight in place; each element is summed in f64 and rounded once.
 *
 * @param values Elements of the weight in row-major order, from element `from` of row `firstRow` of the layer on.
 */
export function addLora(
  values: Float32Array,
  { rank, scale, a, b }: LayerAdapter,
  from: number = 0,
  firstRow: number = 0,
): void {
  const columns = a.length / rank;
  const row = new Float64Array(columns);
  for (let at = 0; at < values.length;) {
    const i = firstRow + Math.floor((from + at) / columns);
    const first = (from + at) % columns;
    const end = Math.min(columns, first + values.length - at);
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scale * b[i * rank + r]!;
      for (let j = first; j < end; j++) row[j]! += factor * a[r * columns + j]!;
    }
    for (let j = first; j < end; j++) values[at++]! += row[j]!;
  }
}
