/**
 * Weights under other names or with an adapter added: each tensor is made while it is read, so that files of any size can be
 * written from it.
 *
 * @module
 */

import { WeightsError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { Adapter } from "../io/torch/peft.ts";
import type { WeightTensor } from "../io/torch/weight_tensor.ts";
import { changeTensor, type FloatDtype, isFloat, joinTensors } from "../io/torch/weight_views.ts";
import type { Weights } from "../io/torch/weights.ts";
import type { Keymap } from "./families/keymap.ts";
import { adaptedBeside, adaptedLayers, addLora, type LayerAdapter } from "./lora_layers.ts";

/** Which names a rewritten file has: those of the file it is made from, or timm's. */
export type NameStyle = "file" | "timm";

/** Type that keeps what changed elements are rounded to. */
function floatOf(tensor: WeightTensor): FloatDtype {
  return tensor.dtype === "F16" || tensor.dtype === "BF16" ? tensor.dtype : "F32";
}

/**
 * The tensors of an encoder under timm's names, with query, key and value joined; heads and other networks are left out.
 *
 * Where the class token alone has a position row and there are registers, which timm has not, the row is added to the token.
 *
 * @param keymap Of the weights.
 */
export function timmTensors(weights: Weights, keymap: Keymap): Map<string, WeightTensor> {
  const tensors = new Map(
    keymap.entries.map(({ target, shape, parts }) => {
      const found = parts.map(({ source, from, to }) => ({ tensor: weights.tensors.get(source)!, from, to }));
      return [target, joinTensors(target, shape, found)];
    }),
  );
  const { registers, prefixPositions, grid, width, normAfterPool } = keymap.arch;
  for (const part of normAfterPool ? ["weight", "bias"] : []) {
    const norm = tensors.get(`norm.${part}`)!;
    tensors.delete(`norm.${part}`);
    tensors.set(`fc_norm.${part}`, norm);
  }
  const [token, table] = [tensors.get("cls_token"), tensors.get("pos_embed")];
  if (registers === 0 || prefixPositions !== 1 || !token || !table) return tensors;
  const folded = changeTensor(token, "F32", async (values, from) => {
    const row = await table.readF32(from, from + values.length);
    for (let i = 0; i < values.length; i++) values[i]! += row[i]!;
  });
  const rest = [{ tensor: table, from: width, to: table.count }];
  return tensors.set("cls_token", folded).set("pos_embed", joinTensors("pos_embed", [1, grid * grid, width], rest));
}

/**
 * The tensors of an encoder with an adapter added, W + s B A, summed in f64.
 *
 * @param keymap Of the weights.
 * @param names `file` keeps all tensors of the file, what is no part of the encoder included.
 * @param dtype Type of the changed tensors; by default each keeps its own, to which it is rounded.
 * @returns All tensors; names of those that changed; under timm's names, those beside the encoder that the adapter would change.
 * @throws {WeightsError} If the adapter does not fit, or changes weights that are no floating-point numbers.
 */
export async function mergedTensors(
  weights: Weights,
  keymap: Keymap,
  adapter: Adapter,
  { names = "file", dtype }: { names?: NameStyle; dtype?: FloatDtype | undefined } = {},
): Promise<{ tensors: Map<string, WeightTensor>; changed: string[]; leftOut: string[] }> {
  const layers = await adaptedLayers(adapter, keymap);
  const tensors = names === "timm" ? timmTensors(weights, keymap) : new Map(weights.tensors);
  const changed: string[] = [];
  const change = (source: string, layer: LayerAdapter, firstRow: number) => {
    const tensor = tensors.get(source)!;
    if (!isFloat(tensor.dtype)) {
      throw new WeightsError(`Cannot merge into ${source} of ${weights.file}: its type is ${tensor.dtype}`, {
        code: "weights-adapter",
        hint: "Use the weights before they were quantised",
        context: { file: weights.file, keys: [source] },
      });
    }
    tensors.set(
      source,
      changeTensor(tensor, dtype ?? floatOf(tensor), (values, from) => addLora(values, layer, from, firstRow)),
    );
    changed.push(source);
  };
  for (const { target, parts, shape } of keymap.entries) {
    const layer = layers.get(target.replace(/\.weight$/, ""));
    if (!layer || !target.endsWith(".weight")) continue;
    let row = 0;
    for (const { source, from, to } of names === "timm" ? [{ source: target, from: 0, to: Infinity }] : parts) {
      change(source, layer, row);
      row += (to - from) / sizeOf(shape.slice(1));
    }
  }
  const beside = await adaptedBeside(adapter, keymap, weights.tensors);
  if (names === "file") { for (const [source, layer] of beside) change(source, layer, 0); }
  return { tensors, changed, leftOut: names === "file" ? [] : [...beside.keys()] };
}
