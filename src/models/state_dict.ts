/**
 * Parameters and buffers to and from the tensors of a file, by name; tensors are read one by one.
 *
 * @module
 */

import { WeightsError } from "../core/errors.ts";
import { formatShape, sameShape, sizeOf } from "../core/shape.ts";
import { readback } from "../gpu/readback.ts";
import type { SafetensorsInput } from "../io/torch/safetensors.ts";
import type { WeightTensor } from "../io/torch/weight_tensor.ts";
import type { Parameters } from "../nn/parameters.ts";

/** What loading a file did, by the names of the file where it has them, else those of the parameters. */
export interface StateReport {
  /** Tensors that were loaded. */
  readonly loaded: readonly string[];
  /** Parameters and buffers the file has not. */
  readonly missing: readonly string[];
  /** Tensors of the file that have no place. */
  readonly unexpected: readonly string[];
}

/** One parameter and what the file has for it. */
export interface StateEntry {
  /** Name of the parameter or buffer. */
  readonly name: string;
  /** Its tensor in the file. */
  readonly tensor: WeightTensor | undefined;
}

/** Names in a message, the first ten. */
function listed(names: readonly string[]): string {
  return names.length ? `${names.slice(0, 10).join(", ")}${names.length > 10 ? ", …" : ""}` : "none";
}

/**
 * Reads tensors into parameters. Shapes are compared before the first is written; torch's scalars fit `[1]`.
 *
 * @param entries Every parameter that belongs to the file.
 * @param unexpected Names in the file that belong to no parameter.
 * @param options `file` is its name for messages; with `strict` (default) nothing may be missing or unexpected.
 * @throws {WeightsError} If shapes differ, or names do and it is strict.
 */
export async function loadState(
  parameters: Parameters,
  entries: readonly StateEntry[],
  unexpected: readonly string[],
  { file, strict = true }: { file: string; strict?: boolean },
): Promise<StateReport> {
  const missing = entries.filter(({ tensor }) => !tensor).map(({ name }) => name);
  if (strict && (missing.length || unexpected.length)) {
    throw new WeightsError(
      `Cannot load ${file}: ${missing.length} missing (${listed(missing)}), ${unexpected.length} unexpected (${
        listed(unexpected)
      })`,
      {
        context: {
          file,
          missing: missing.slice(0, 10),
          unexpected: unexpected.slice(0, 10),
          total: missing.length + unexpected.length,
        },
      },
    );
  }
  const found = entries.flatMap(({ name, tensor }) => (tensor ? [{ name, tensor, target: parameters.get(name) }] : []));
  for (const { name, tensor, target } of found) {
    if (sameShape(tensor.shape, target.shape) || (!tensor.shape.length && target.size === 1)) continue;
    throw new WeightsError(
      `Cannot load ${name} from ${file}: it is ${formatShape(tensor.shape)}, wanted ${formatShape(target.shape)}`,
      { context: { file, keys: [tensor.name], given: tensor.shape, wanted: target.shape } },
    );
  }
  for (const { tensor, target } of found) parameters.store.write(target, await tensor.readF32());
  return { loaded: found.map(({ tensor }) => tensor.name), missing, unexpected };
}

/**
 * Reads parameters and buffers back as the tensors of a file, in one wait. Counts become 64-bit scalars, as torch keeps them.
 *
 * @param names Names in the file, by those of the parameters.
 */
export async function stateTensors(
  parameters: Parameters,
  names: ReadonlyMap<string, string>,
): Promise<Map<string, SafetensorsInput>> {
  const tensors = [...names.keys()].map((name) => parameters.get(name));
  const values = await readback(parameters.gpu, ...tensors);
  return new Map([...names.values()].map((name, i): [string, SafetensorsInput] => {
    const data = values[i]!;
    const { shape } = tensors[i]!;
    if (data instanceof Uint32Array) {
      const words = BigInt64Array.from(data, BigInt);
      return [name, { dtype: "I64", shape: sizeOf(shape) === 1 ? [] : shape, data: new Uint8Array(words.buffer) }];
    }
    return [name, { dtype: "F32", shape, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) }];
  }));
}
