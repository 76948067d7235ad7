/**
 * The Huffman tables of JPEG's standard, which writers use and which readers assume where a stream brings none, as motion
 * JPEG does and libjpeg-turbo reads it.
 *
 * Source: ITU-T T.81, tables K.3 to K.6.
 *
 * @module
 */

/** A table: codes of each length from 1 to 16, and what they stand for in order. */
export interface HuffmanCodes {
  readonly lengths: readonly number[];
  readonly values: readonly number[];
}

function hex(...lines: string[]): number[] {
  return lines.join("").match(/../g)!.map((byte) => parseInt(byte, 16));
}

const CATEGORIES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

/** Tables of the first coefficients, of luminance (K.3) and chrominance (K.4). */
export const STANDARD_DC: readonly [HuffmanCodes, HuffmanCodes] = [
  { lengths: [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], values: CATEGORIES },
  { lengths: [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], values: CATEGORIES },
];

/** Tables of the others, of luminance (K.5) and chrominance (K.6). */
export const STANDARD_AC: readonly [HuffmanCodes, HuffmanCodes] = [
  {
    lengths: [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125],
    values: hex(
      "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a",
      "3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a929394",
      "95969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8",
      "e9eaf1f2f3f4f5f6f7f8f9fa",
    ),
  },
  {
    lengths: [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119],
    values: hex(
      "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728",
      "292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92",
      "939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7",
      "e8e9eaf2f3f4f5f6f7f8f9fa",
    ),
  },
];
