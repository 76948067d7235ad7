/**
 * One tensor of a weights file, read when asked for: its type and shape are known, its elements lie on disk.
 *
 * @module
 */

import { f32FromF16 } from "../../core/dtype.ts";
import { DataError, LimitError } from "../../core/errors.ts";
import { formatShape, type Shape } from "../../core/shape.ts";

/** Bits of an element, by the names of the safetensors format. */
const BITS: Readonly<Record<WeightDtype, number>> = {
  F64: 64,
  F32: 32,
  F16: 16,
  BF16: 16,
  I64: 64,
  I32: 32,
  I16: 16,
  I8: 8,
  U64: 64,
  U32: 32,
  U16: 16,
  U8: 8,
  BOOL: 8,
  // Known so that a file holding one can be read; elements come as bytes only.
  C64: 64,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F4: 4,
};

/** Longest name of a tensor, characters: names are kept, matched and shown. */
export const MAX_NAME = 1024;

/** Element type of a stored tensor. */
export type WeightDtype =
  | "F64"
  | "F32"
  | "F16"
  | "BF16"
  | "I64"
  | "I32"
  | "I16"
  | "I8"
  | "U64"
  | "U32"
  | "U16"
  | "U8"
  | "BOOL"
  | "C64"
  | "F8_E4M3"
  | "F8_E5M2"
  | "F8_E8M0"
  | "F8_E4M3FNUZ"
  | "F8_E5M2FNUZ"
  | "F6_E2M3"
  | "F6_E3M2"
  | "F4";

/** Names of all element types. */
export const WEIGHT_DTYPES: readonly WeightDtype[] = Object.keys(BITS) as WeightDtype[];

/** Whether `name` is an element type. */
export function isWeightDtype(name: unknown): name is WeightDtype {
  return typeof name === "string" && Object.hasOwn(BITS, name);
}

/** Number of elements, or undefined where a partial product leaves the exact integers. */
export function countOf(shape: Shape): number | undefined {
  let count = 1;
  for (const extent of shape) {
    count *= extent;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

/** Bytes of `count` elements, or undefined where they end within a byte or leave the exact integers. */
export function weightBytes(dtype: WeightDtype, count: number): number | undefined {
  const bytes = count * (BITS[dtype] / 8);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Elements as 32-bit floats: widened exactly, doubles rounded to nearest even, integers only where a float holds them. */
export function toF32(bytes: Uint8Array<ArrayBuffer>, dtype: WeightDtype, name: string): Float32Array<ArrayBuffer> {
  const { buffer, byteOffset: at, byteLength } = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  switch (dtype) {
    case "F32":
      return new Float32Array(buffer, at, byteLength / 4);
    case "F16":
      return fromHalves(new Uint16Array(buffer, at, byteLength / 2));
    case "BF16":
      return fromBrainHalves(new Uint16Array(buffer, at, byteLength / 2));
    case "F64":
      return new Float32Array(new Float64Array(buffer, at, byteLength / 8));
    case "I64":
      return exact(new BigInt64Array(buffer, at, byteLength / 8), name);
    case "U64":
      return exact(new BigUint64Array(buffer, at, byteLength / 8), name);
    case "I32":
      return exact(new Int32Array(buffer, at, byteLength / 4), name);
    case "U32":
      return exact(new Uint32Array(buffer, at, byteLength / 4), name);
    case "I16":
      return new Float32Array(new Int16Array(buffer, at, byteLength / 2));
    case "U16":
      return new Float32Array(new Uint16Array(buffer, at, byteLength / 2));
    case "I8":
      return new Float32Array(new Int8Array(buffer, at, byteLength));
    case "U8":
      return new Float32Array(bytes);
    case "BOOL":
      return Float32Array.from(bytes, (byte) => byte === 0 ? 0 : 1);
    default:
      throw new DataError(`Cannot read tensor "${name}" as numbers: its type is ${dtype}`, {
        hint: "Convert it to F32, F16 or BF16 before saving",
        context: { tensor: name, dtype },
      });
  }
}

/** Every half-precision number by its bits, once one is needed. */
let halves: Float32Array | undefined;

function fromHalves(words: Uint16Array): Float32Array<ArrayBuffer> {
  halves ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => f32FromF16(bits));
  const out = new Float32Array(words.length);
  for (let i = 0; i < out.length; i++) out[i] = halves[words[i]!]!;
  return out;
}

function fromBrainHalves(words: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Uint32Array(words.length);
  for (let i = 0; i < out.length; i++) out[i] = words[i]! << 16;
  return new Float32Array(out.buffer);
}

function exact(values: ArrayLike<number | bigint>, name: string): Float32Array<ArrayBuffer> {
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    out[i] = value;
    if (out[i] !== value || !Number.isSafeInteger(value)) {
      throw new DataError(
        `Cannot read tensor "${name}" as floats: element ${i} is ${values[i]}, which no 32-bit float is`,
        {
          context: { tensor: name, element: i, given: String(values[i]) },
        },
      );
    }
  }
  return out;
}

/** Reads elements `from` up to `to`, in row-major order and little-endian. */
export type ElementReader = (from: number, to: number) => Promise<Uint8Array<ArrayBuffer>>;

/** A stored tensor. */
export class WeightTensor {
  /** Number of elements. */
  readonly count: number;
  /** Bytes of all elements. */
  readonly bytes: number;
  readonly #reader: ElementReader;

  /**
   * Describes a tensor; nothing is read.
   *
   * @param name Name in the file.
   * @param dtype Type of the elements.
   * @param shape Extents, outermost first.
   * @param reader Reads a range of elements.
   */
  constructor(readonly name: string, readonly dtype: WeightDtype, readonly shape: Shape, reader: ElementReader) {
    this.count = countOf(shape) ?? Infinity;
    this.bytes = weightBytes(dtype, this.count) ?? Infinity;
    if (this.bytes === Infinity) {
      throw new LimitError(
        `Cannot describe tensor "${name}": ${dtype} ${formatShape(shape)} has no exact length in bytes`,
        {
          context: { tensor: name, dtype, shape },
        },
      );
    }
    this.#reader = reader;
  }

  /**
   * Elements `from` up to `to` (all by default) as the file's type: row-major, little-endian, in an array of their own.
   *
   * @throws {FormatError} If the file is damaged there.
   * @throws {LimitError} If the range leaves the tensor, or the type packs elements into less than a byte.
   */
  async read(from: number = 0, to: number = this.count): Promise<Uint8Array<ArrayBuffer>> {
    const inside = Number.isSafeInteger(from) && Number.isSafeInteger(to) && 0 <= from && from <= to &&
      to <= this.count;
    if (!inside || BITS[this.dtype] % 8 !== 0) {
      const wanted = inside ? `${this.dtype} elements are no whole bytes` : `it has ${this.count}`;
      throw new LimitError(`Cannot read elements ${from} to ${to} of tensor "${this.name}": ${wanted}`, {
        context: { tensor: this.name, from, to, max: this.count },
      });
    }
    return from === to ? new Uint8Array(0) : await this.#reader(from, to);
  }

  /**
   * Elements as 32-bit floats: {@linkcode toF32}.
   *
   * @throws {DataError} If the elements are no numbers a 32-bit float holds.
   */
  async readF32(from: number = 0, to: number = this.count): Promise<Float32Array<ArrayBuffer>> {
    return toF32(await this.read(from, to), this.dtype, this.name);
  }

  /** The elements in pieces of at most `bytes`, each with the element it begins at. */
  async *chunks(bytes: number = 1 << 26): AsyncGenerator<{ from: number; data: Uint8Array<ArrayBuffer> }> {
    const step = Math.max(1, Math.floor(bytes / (BITS[this.dtype] / 8)));
    for (let from = 0; from < this.count; from += step) {
      yield { from, data: await this.read(from, Math.min(this.count, from + step)) };
    }
  }
}
