/**
 * NumPy's array file: magic, a Python literal that tells type and shape, raw elements. Little-endian and row-major only.
 *
 * Source: numpy.lib.format, versions 1.0 to 3.0.
 *
 * @module
 */

import { f32FromF16 } from "../core/dtype.ts";
import { FormatError } from "../core/errors.ts";
import type { RandomAccess } from "./random_access.ts";

/** Element types that are read and written, with their bytes. */
const BYTES = { u1: 1, f2: 2, f4: 4, f8: 8, i4: 4, i8: 8 } as const;

/** Element type, in NumPy's letters without the byte order. */
export type NpyDtype = keyof typeof BYTES;

/** What the header of a file tells. */
export interface NpyHeader {
  readonly dtype: NpyDtype;
  readonly shape: readonly number[];
  /** Byte at which the elements begin. */
  readonly dataStart: number;
}

/** Elements as read; half precision becomes f32. */
export type NpyArray = Uint8Array | Float32Array | Float64Array | Int32Array | BigInt64Array;

function fail(name: string, offset: number, found: string, expected: string): never {
  throw new FormatError(`Cannot read ${name} as npy: byte ${offset} ${found}, expected ${expected}`, {
    context: { file: name, offset, found, expected },
  });
}

/**
 * Reads and checks the header.
 *
 * @throws {FormatError} Of another format, a type or order that is not read, or a length that disagrees with the shape.
 */
export async function readNpyHeader(source: RandomAccess): Promise<NpyHeader> {
  const { name, size } = source;
  if (size < 12) fail(name, size, "is the end of the file", "a header");
  const head = new DataView((await source.read(0, 12)).buffer);
  if (head.getUint32(0) !== 0x934e554d || head.getUint16(4) !== 0x5059) {
    fail(name, 0, "begins no npy file", "its magic");
  }
  const version = head.getUint8(6);
  if (version < 1 || version > 3) fail(name, 6, `has version ${version}`, "1 to 3");
  const at = version === 1 ? 10 : 12;
  const length = version === 1 ? head.getUint16(8, true) : head.getUint32(8, true);
  const dataStart = at + length;
  if (dataStart > size || length > 1 << 20) fail(name, 8, `gives a header of ${length} bytes`, `at most ${size - at}`);
  const text = new TextDecoder().decode(await source.read(at, length)).trim();
  const dict = /^\{'descr': ?'([^']*)', ?'fortran_order': ?(True|False), ?'shape': ?\(([\d, ]*)\),? ?\}$/.exec(text);
  if (dict === null) {
    fail(name, at, `has header ${JSON.stringify(text.slice(0, 80))}`, "descr, fortran_order and shape");
  }
  const [, descr, fortran, extents] = dict as unknown as [string, string, string, string];
  const dtype = /^[<|=]?([a-z]\d)$/.exec(descr)?.[1] as NpyDtype | undefined;
  if (dtype === undefined || !Object.hasOwn(BYTES, dtype)) {
    fail(name, at, `has elements of type ${JSON.stringify(descr)}`, `little-endian ${Object.keys(BYTES).join(" ")}`);
  }
  const shape = extents.split(",").map((s) => s.trim()).filter((s) => s !== "").map(Number);
  if (fortran === "True" && shape.length > 1) {
    fail(name, at, "is in Fortran order", "C order: save numpy.ascontiguousarray(array)");
  }
  const bytes = shape.reduce((a, b) => a * b, 1) * BYTES[dtype];
  if (!Number.isSafeInteger(bytes) || dataStart + bytes !== size) {
    fail(name, size, "is the end of the file", `it at byte ${dataStart + bytes} for ${dtype} (${shape.join(", ")})`);
  }
  return { dtype, shape, dataStart };
}

/** Reads rows `from` up to `to` of the first extent; without them everything. */
export async function readNpy(
  source: RandomAccess,
  header: NpyHeader,
  from: number = 0,
  to: number = header.shape[0] ?? 1,
): Promise<NpyArray> {
  const { dtype, shape, dataStart } = header;
  const row = shape.slice(1).reduce((a, b) => a * b, 1) * BYTES[dtype];
  const bytes = await source.read(dataStart + from * row, (to - from) * row);
  const { buffer } = bytes;
  switch (dtype) {
    case "u1":
      return bytes;
    case "f2":
      return Float32Array.from(new Uint16Array(buffer), f32FromF16);
    case "f4":
      return new Float32Array(buffer);
    case "f8":
      return new Float64Array(buffer);
    case "i4":
      return new Int32Array(buffer);
    case "i8":
      return new BigInt64Array(buffer);
    default:
      throw new TypeError(String(dtype satisfies never));
  }
}

/** The header of a file, padded as NumPy does so that the elements begin at a multiple of 64; they follow it raw. */
export function npyHeader(dtype: NpyDtype, shape: readonly number[]): Uint8Array {
  const descr = dtype === "u1" ? "|u1" : `<${dtype}`;
  const extents = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${extents}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const out = new TextEncoder().encode(`\0NUMPY\x01\0\0\0${text.padEnd(length - 1)}\n`);
  out[0] = 0x93;
  new DataView(out.buffer).setUint16(8, length, true);
  return out;
}
