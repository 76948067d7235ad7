/**
 * Writing a directory of a TIFF file, with offsets of 32 or 64 bits.
 *
 * @module
 */

import type { HostFile } from "../disk.ts";

/** Field types. */
export const [ASCII, SHORT, LONG, RATIONAL, LONG8] = [2, 3, 4, 5, 16] as const;

/** Tag, type and values of a field; rationals are two values each. */
export type Field = readonly [tag: number, type: number, values: readonly number[]];

/** Where a directory goes. */
export interface Place {
  /** Its offset. */
  readonly at: number;
  /** Offset at which its own is to be noted. */
  readonly link: number;
  /** Whether offsets have 64 bits. */
  readonly big: boolean;
}

/**
 * Writes a directory, and what does not fit in its fields behind it.
 *
 * @returns Where it ends, and where the offset of the next is to be noted.
 */
export function writeDirectory(
  file: HostFile,
  fields: readonly Field[],
  { at, link, big }: Place,
): { end: number; link: number } {
  const [counter, entry, pointer] = big ? [8, 20, 8] : [2, 12, 4];
  const size = (type: number, values: readonly number[]) => values.length * widthOf(type);
  const head = counter + entry * fields.length + pointer;
  const extra = fields.map(([, type, values]) => size(type, values)).map((n) => n > pointer ? n + (n & 1) : 0);
  const view = new DataView(new ArrayBuffer(head + extra.reduce((a, b) => a + b, 0)));
  const put = (to: number, value: number, width: number) => {
    if (width === 1) view.setUint8(to, value);
    else if (width === 2) view.setUint16(to, value, true);
    else if (width === 4) view.setUint32(to, value, true);
    else view.setBigUint64(to, BigInt(value), true);
  };
  put(0, fields.length, counter);
  let behind = head;
  for (const [i, [tag, type, values]] of fields.entries()) {
    const field = counter + entry * i;
    put(field, tag, 2);
    put(field + 2, type, 2);
    put(field + 4, type === RATIONAL ? values.length / 2 : values.length, pointer);
    let to = field + 4 + pointer;
    if (extra[i]! > 0) {
      put(to, at + behind, pointer);
      to = behind;
      behind += extra[i]!;
    }
    for (const value of values) {
      put(to, value, widthOf(type));
      to += widthOf(type);
    }
  }
  file.write(at, new Uint8Array(view.buffer));
  const noted = new DataView(new ArrayBuffer(pointer));
  if (big) noted.setBigUint64(0, BigInt(at), true);
  else noted.setUint32(0, at, true);
  file.write(link, new Uint8Array(noted.buffer));
  return { end: at + view.byteLength, link: at + head - pointer };
}

/** Bytes of a value; a rational is two. */
function widthOf(type: number): 1 | 2 | 4 | 8 {
  return type === ASCII ? 1 : type === SHORT ? 2 : type === LONG8 ? 8 : 4;
}
