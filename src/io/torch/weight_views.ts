/**
 * Tensors made of other tensors, element by element while they are read: of another type, joined, or changed. Nothing is in
 * memory but what is asked for.
 *
 * @module
 */

import { bf16FromF32, f16FromF32 } from "../../core/dtype.ts";
import { DataError, ShapeError } from "../../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../../core/shape.ts";
import { type WeightDtype, WeightTensor } from "./weight_tensor.ts";

/** Types of floating point that tensors can be rewritten as. */
export type FloatDtype = "F32" | "F16" | "BF16";

/** Whether elements are floating-point numbers of a usual type, which keep their meaning in another one. */
export function isFloat(dtype: WeightDtype): boolean {
  return dtype === "F64" || dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

/**
 * Numbers as bytes of a type, rounded to nearest even.
 *
 * @throws {DataError} If a finite number has no finite neighbour in the type.
 */
function encodeFloats(values: Float32Array, dtype: FloatDtype, name: string): Uint8Array<ArrayBuffer> {
  if (dtype === "F32") return new Uint8Array(values.slice().buffer);
  const out = new Uint16Array(values.length);
  const [encode, infinity] = dtype === "F16" ? [f16FromF32, 0x7c00] as const : [bf16FromF32, 0x7f80] as const;
  for (let i = 0; i < out.length; i++) {
    const bits = encode(values[i]!);
    if ((bits & 0x7fff) === infinity && Number.isFinite(values[i])) {
      throw new DataError(`Cannot write tensor "${name}" as ${dtype}: an element is ${values[i]}, beyond its range`, {
        hint: dtype === "F16" ? "Pass --dtype bf16 or f32" : "Pass --dtype f32",
        context: { tensor: name, dtype, given: values[i] },
      });
    }
    out[i] = bits;
  }
  return new Uint8Array(out.buffer);
}

/** The tensor as floating-point numbers of another type; itself where it has that type, or is of integers. */
export function castTensor(tensor: WeightTensor, dtype: FloatDtype): WeightTensor {
  if (tensor.dtype === dtype || !isFloat(tensor.dtype)) return tensor;
  return changeTensor(tensor, dtype, () => {});
}

/**
 * The tensor with its elements changed while they are read.
 *
 * @param change Receives a run of elements and the index of the first, and writes into it.
 */
export function changeTensor(
  tensor: WeightTensor,
  dtype: FloatDtype,
  change: (values: Float32Array, from: number) => void | Promise<void>,
): WeightTensor {
  return new WeightTensor(tensor.name, dtype, tensor.shape, async (from, to) => {
    const values = await tensor.readF32(from, to);
    await change(values, from);
    return encodeFloats(values, dtype, tensor.name);
  });
}

/** Elements `from` up to `to` of a tensor, in row-major order. */
export interface TensorPart {
  readonly tensor: WeightTensor;
  readonly from: number;
  readonly to: number;
}

/**
 * Parts one after another as one tensor.
 *
 * @param parts Of one type, else all become F32.
 * @throws {ShapeError} If they have more or fewer elements than the shape.
 */
export function joinTensors(name: string, shape: Shape, parts: readonly TensorPart[]): WeightTensor {
  const count = parts.reduce((sum, { from, to }) => sum + to - from, 0);
  if (count !== sizeOf(shape)) {
    throw new ShapeError(`Cannot join tensor "${name}": ${count} elements, wanted ${formatShape(shape)}`);
  }
  const types = new Set(parts.map(({ tensor }) => tensor.dtype));
  const own = types.size === 1 ? parts[0]!.tensor.dtype : "F32";
  return new WeightTensor(name, own, shape, async (from, to) => {
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (const part of parts) {
      const [first, end] = [Math.max(from - at, 0), Math.min(to - at, part.to - part.from)];
      at += part.to - part.from;
      if (first >= end) continue;
      const [start, stop] = [part.from + first, part.from + end];
      const whole = part.tensor.dtype === own;
      pieces.push(
        whole ? await part.tensor.read(start, stop) : new Uint8Array((await part.tensor.readF32(start, stop)).buffer),
      );
    }
    return join(pieces);
  });
}

function join(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
