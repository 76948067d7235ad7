/**
 * Element types of HDF5 datasets, and their bytes as numbers.
 *
 * @module
 */

import { f32FromF16 } from "../../core/dtype.ts";
import { CLASS, type Metadata } from "./h5_library.ts";

/** Element types: h5py's names without the byte order, `bool`, `str` of any kind, or `other`, which cannot be read. */
export type H5Dtype =
  | "i1"
  | "i2"
  | "i4"
  | "i8"
  | "u1"
  | "u2"
  | "u4"
  | "u8"
  | "f2"
  | "f4"
  | "f8"
  | "bool"
  | "str"
  | "other";

/** Numbers of a dataset. */
export type H5Array =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** The element type that the library tells. */
export function dtypeOf({ type, size, signed, enum_type: members }: Metadata): H5Dtype {
  if (type === CLASS.string) return "str";
  if (type === CLASS.enum && size === 1 && members !== undefined) {
    const names = Object.keys(members.members).sort().join();
    return names === "FALSE,TRUE" ? "bool" : "other";
  }
  if (type === CLASS.integer && [1, 2, 4, 8].includes(size)) return `${signed ? "i" : "u"}${size}` as H5Dtype;
  if (type === CLASS.float && [2, 4, 8].includes(size)) return `f${size}` as H5Dtype;
  return "other";
}

/** Bytes in the order of this machine as numbers. */
export function typed(bytes: Uint8Array<ArrayBuffer>, dtype: Exclude<H5Dtype, "str" | "other">): H5Array {
  const { buffer } = bytes;
  switch (dtype) {
    case "i1":
      return new Int8Array(buffer);
    case "i2":
      return new Int16Array(buffer);
    case "i4":
      return new Int32Array(buffer);
    case "i8":
      return new BigInt64Array(buffer);
    case "u1":
    case "bool":
      return bytes;
    case "u2":
      return new Uint16Array(buffer);
    case "u4":
      return new Uint32Array(buffer);
    case "u8":
      return new BigUint64Array(buffer);
    case "f2":
      return Float32Array.from(new Uint16Array(buffer), f32FromF16);
    case "f4":
      return new Float32Array(buffer);
    case "f8":
      return new Float64Array(buffer);
    default:
      throw new TypeError(String(dtype satisfies never));
  }
}

/**
 * Numbers as f64, those of 64 bits by their halves: a bigint each would be an object each. Beyond 2^53 they are rounded, as
 * `Number()` rounds them.
 */
export function toF64(values: H5Array): Float64Array<ArrayBuffer> {
  if (!(values instanceof BigInt64Array || values instanceof BigUint64Array)) return new Float64Array(values);
  const { buffer, byteOffset, length } = values;
  const low = new Uint32Array(buffer, byteOffset, 2 * length);
  const high = values instanceof BigInt64Array ? new Int32Array(buffer, byteOffset, 2 * length) : low;
  const out = new Float64Array(length);
  for (let i = 0; i < length; i++) out[i] = high[2 * i + 1]! * 2 ** 32 + low[2 * i]!;
  return out;
}
