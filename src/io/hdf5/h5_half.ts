/**
 * Numbers of half precision in a file that the HDF5 library wrote, which makes none itself: it writes the same bytes as half as
 * many numbers of single precision, and afterwards the header of the dataset is made to say what they are.
 *
 * Source: HDF5 File Format Specification Version 3.0, IV.A.1.b and 2.
 *
 * @module
 */

import type { H5Storage } from "./h5_library.ts";
import { lookup3 } from "./lookup3.ts";

/** Types of messages of an object header that are changed. */
const MESSAGE = { dataspace: 1, datatype: 3, layout: 8 };
const CONTIGUOUS = 1;

/** IEEE 754 binary16 and binary32, little-endian, as the message of a type says it. */
const HALF = [0x11, 0x20, 15, 0, 2, 0, 0, 0, 0, 0, 16, 0, 10, 5, 0, 10, 15, 0, 0, 0];
const SINGLE = [0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0];

/** Extents of the single-precision dataset that has room for so many halves; its rank is theirs. */
export function singleShape(shape: readonly number[]): number[] {
  const count = shape.reduce((a, b) => a * b, 1);
  return count === 0 ? [...shape] : shape.map((_, i) => i === shape.length - 1 ? Math.ceil(count / 2) : 1);
}

/**
 * Makes a dataset of {@linkcode singleShape}, contiguous, one of halves. The library must have closed the file.
 *
 * @param at Address of its object header.
 * @returns Whether the header was as the library writes it; otherwise nothing was changed.
 */
export function makeHalf(storage: H5Storage, at: number, shape: readonly number[]): boolean {
  const head = read(storage, at, 30);
  const flags = head.getUint8(5);
  const isOurs = String.fromCharCode(...new Uint8Array(head.buffer, 0, 4)) === "OHDR" && head.getUint8(4) === 2;
  if (!isOurs || (flags & 3) > 2) return false;
  const first = 6 + (flags & 32 ? 16 : 0) + (flags & 16 ? 4 : 0);
  const width = 1 << (flags & 3);
  const size = width === 1
    ? head.getUint8(first)
    : width === 2
    ? head.getUint16(first, true)
    : head.getUint32(first, true);
  const end = first + width + size;
  const view = read(storage, at, end + 4);
  const bytes = new Uint8Array(view.buffer);
  if (lookup3(bytes.subarray(0, end)) !== view.getUint32(end, true)) return false;
  const before = flags & 4 ? 6 : 4;
  const seen = new Set<number>();
  for (let from = first + width; from + before <= end;) {
    const type = bytes[from]!;
    const place = from + before;
    if (!change(view, place, type, shape)) return false;
    seen.add(type);
    from = place + view.getUint16(from + 1, true);
  }
  if (!Object.values(MESSAGE).every((type) => seen.has(type))) return false;
  view.setUint32(end, lookup3(bytes.subarray(0, end)), true);
  storage.write!(at, bytes);
  return true;
}

function read(storage: H5Storage, at: number, size: number): DataView {
  const bytes = new Uint8Array(size);
  storage.read(at, bytes);
  return new DataView(bytes.buffer);
}

/** Changes a message. @returns Whether it was as expected. */
function change(view: DataView, at: number, type: number, shape: readonly number[]): boolean {
  const count = shape.reduce((a, b) => a * b, 1);
  if (type === MESSAGE.datatype) {
    if (SINGLE.some((byte, i) => view.getUint8(at + i) !== byte)) return false;
    HALF.forEach((byte, i) => view.setUint8(at + i, byte));
  } else if (type === MESSAGE.dataspace) {
    if (view.getUint8(at) !== 2 || view.getUint8(at + 1) !== shape.length) return false;
    // Behind the extents, where flagged, how large they may become.
    const extents = view.getUint8(at + 2) & 1 ? [...shape, ...shape] : shape;
    extents.forEach((extent, i) => view.setBigUint64(at + 4 + 8 * i, BigInt(extent), true));
  } else if (type === MESSAGE.layout) {
    if (view.getUint8(at) < 3 || view.getUint8(at + 1) !== CONTIGUOUS) return false;
    view.setBigUint64(at + 10, BigInt(2 * count), true);
  }
  return true;
}
