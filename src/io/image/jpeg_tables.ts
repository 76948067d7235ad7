/**
 * Tables of JPEG streams, and the Huffman tables of the standard, which writers use and which readers assume where a stream
 * brings none, as motion JPEG does and libjpeg-turbo reads it.
 *
 * Source: ITU-T T.81, sections B.2.4.1 and B.2.4.2, tables K.3 to K.6.
 *
 * @module
 */

import { ScanError, ZIGZAG } from "./jpeg_scan.ts";

/** Bytes that count a table's codes of 1 to 16 bits; what they stand for follows in order. */
export const HUFFMAN_COUNTS = 16;

function hex(...lines: string[]): Uint8Array {
  return Uint8Array.from(lines.join("").match(/../g)!, (byte) => parseInt(byte, 16));
}

const CATEGORIES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

/** Tables of the first coefficients, of luminance (K.3) and chrominance (K.4). */
export const STANDARD_DC: readonly Uint8Array[] = [
  Uint8Array.of(0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, ...CATEGORIES),
  Uint8Array.of(0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, ...CATEGORIES),
];

/** Tables of the others, of luminance (K.5) and chrominance (K.6). */
export const STANDARD_AC: readonly Uint8Array[] = [
  hex(
    "0002010303020403050504040000017d",
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a",
    "3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a929394",
    "95969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8",
    "e9eaf1f2f3f4f5f6f7f8f9fa",
  ),
  hex(
    "00020102040403040705040400010277",
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728",
    "292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92",
    "939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7",
    "e8e9eaf2f3f4f5f6f7f8f9fa",
  ),
];

/**
 * Reads quantisation tables, steps row by row, into their slots.
 *
 * @param at Where the segment's content begins; it goes to `end`.
 * @throws {ScanError} If they are damaged.
 */
export function readQuantisation(data: Uint8Array, at: number, end: number, slots: (Uint16Array | undefined)[]): void {
  while (at < end) {
    const wide = data[at]! >> 4;
    const slot = data[at]! & 15;
    if (wide > 1 || slot > 3 || at + 1 + 64 * (1 + wide) > end) {
      throw new ScanError(at, "has a damaged quantisation table", "64 values for slot 0 to 3");
    }
    at++;
    const table = new Uint16Array(64);
    for (let k = 0; k < 64; k++) {
      table[ZIGZAG[k]!] = wide ? data[at]! << 8 | data[at + 1]! : data[at]!;
      at += 1 + wide;
    }
    slots[slot] = table;
  }
}

/**
 * Reads Huffman tables, counts and symbols, into their slots.
 *
 * @param at Where the segment's content begins; it goes to `end`.
 * @throws {ScanError} If they are no codes.
 */
export function readHuffman(
  data: Uint8Array,
  at: number,
  end: number,
  slots: { readonly dc: (Uint8Array | undefined)[]; readonly ac: (Uint8Array | undefined)[] },
): void {
  while (at < end) {
    const kind = data[at]! >> 4;
    const slot = data[at]! & 15;
    const symbols = data.subarray(at + 1, at + 1 + HUFFMAN_COUNTS).reduce((a, b) => a + b, 0);
    const next = at + 1 + HUFFMAN_COUNTS + symbols;
    // A copy, since tables outlive the file.
    const codes = data.slice(at + 1, next);
    if (kind > 1 || slot > 3 || symbols > 256 || next > end || !isPrefixCode(codes)) {
      throw new ScanError(at, "has a damaged Huffman table", "a prefix code for slot 0 to 3");
    }
    (kind === 0 ? slots.dc : slots.ac)[slot] = codes;
    at = next;
  }
}

/** Whether there is a prefix code with these numbers of codes of each length; none is of ones alone. */
function isPrefixCode(counts: Uint8Array): boolean {
  for (let length = 1, code = 0; length <= HUFFMAN_COUNTS; length++, code *= 2) {
    const count = counts[length - 1]!;
    code += count;
    if (count > 0 && code >= 1 << length) return false;
  }
  return true;
}
