/**
 * Element types of tensors and the bit-exact conversions between them.
 *
 * @module
 */

import { DtypeError } from "./errors.ts";

/** Element types a tensor can have. `bf16` exists in memory only: kernels widen it on load. */
export type Dtype = "f32" | "f16" | "bf16" | "u32" | "i32" | "u8";

const BYTES: Record<Dtype, number> = { f32: 4, f16: 2, bf16: 2, u32: 4, i32: 4, u8: 1 };

/** Bytes of one element. */
export function dtypeBytes(dtype: Dtype): number {
  return BYTES[dtype];
}

const scratch: DataView = new DataView(new ArrayBuffer(4));

/** Bits of the half-precision number nearest to `value` (ties to even; overflow gives infinity). */
export function f16FromF32(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const abs = bits & 0x7fffffff;
  if (abs > 0x7f800000) return sign | 0x7e00;
  if (abs >= 0x47800000) return sign | 0x7c00;
  if (abs < 0x33000001) return sign;
  const exponent = abs >>> 23;
  if (exponent < 113) {
    const mantissa = (abs & 0x7fffff) | 0x800000;
    const shift = 126 - exponent;
    const kept = mantissa >>> shift;
    const rest = mantissa & ((1 << shift) - 1);
    const half = 1 << (shift - 1);
    return sign | (kept + (rest > half || (rest === half && (kept & 1)) ? 1 : 0));
  }
  const kept = (abs - 0x38000000) >>> 13;
  const rest = abs & 0x1fff;
  return sign | (kept + (rest > 0x1000 || (rest === 0x1000 && (kept & 1)) ? 1 : 0));
}

/** Number a half-precision bit pattern stands for. */
export function f32FromF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** Bits of the bfloat16 number nearest to `value` (ties to even). */
export function bf16FromF32(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Number a bfloat16 bit pattern stands for. */
export function f32FromBf16(bits: number): number {
  scratch.setUint32(0, (bits & 0xffff) << 16);
  return scratch.getFloat32(0);
}

/** Bytes of `values` stored as `dtype`, little-endian, padded with zeros to a multiple of four. */
export function encode(values: ArrayLike<number>, dtype: Dtype): Uint8Array {
  const n = values.length;
  const out = new ArrayBuffer(Math.ceil((n * dtypeBytes(dtype)) / 4) * 4);
  if (dtype === "f32") new Float32Array(out).set(values);
  else if (dtype === "u32") new Uint32Array(out).set(values);
  else if (dtype === "i32") new Int32Array(out).set(values);
  else if (dtype === "u8") new Uint8Array(out).set(values);
  else {
    const convert = dtype === "f16" ? f16FromF32 : bf16FromF32;
    const words = new Uint16Array(out);
    for (let i = 0; i < n; i++) words[i] = convert(values[i] as number);
  }
  return new Uint8Array(out);
}

/** The `count` numbers that `bytes` hold as `dtype`, little-endian. */
export function decode(bytes: Uint8Array, dtype: Dtype, count: number): Float32Array | Uint32Array | Int32Array {
  const buffer = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const at = buffer.byteOffset;
  switch (dtype) {
    case "f32":
      return new Float32Array(buffer.buffer as ArrayBuffer, at, count).slice();
    case "u32":
      return new Uint32Array(buffer.buffer as ArrayBuffer, at, count).slice();
    case "i32":
      return new Int32Array(buffer.buffer as ArrayBuffer, at, count).slice();
    case "u8":
      return Uint32Array.from(new Uint8Array(buffer.buffer as ArrayBuffer, at, count));
    case "f16":
    case "bf16": {
      const words = new Uint16Array(buffer.buffer as ArrayBuffer, at, count);
      const convert = dtype === "f16" ? f32FromF16 : f32FromBf16;
      return Float32Array.from(words, convert);
    }
    default:
      throw new DtypeError(`Cannot decode elements: ${String(dtype satisfies never)} is no element type`);
  }
}

/** `values` rounded to what `dtype` can hold, as f64, for references that start from rounded operands. */
export function roundTo(values: ArrayLike<number>, dtype: Dtype): Float64Array {
  return Float64Array.from(decode(encode(values, dtype), dtype, values.length));
}
