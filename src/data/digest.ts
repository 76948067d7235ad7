/**
 * Digests of content: 128 bits from 32-bit arithmetic, to recognise equal tables and lists. No protection against forgery.
 *
 * @module
 */

/** Four words. */
export type Digest = readonly [number, number, number, number];

const SEEDS = [0x9e3779b9, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f] as const;

/** Spreads the bits of one word over all (the finaliser of MurmurHash3). */
function spread(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Digest of a text. */
export function digestText(text: string): Digest {
  const words = [...SEEDS] as [number, number, number, number];
  for (let i = 0; i < text.length; i++) {
    for (let k = 0; k < 4; k++) words[k] = spread(Math.imul(words[k]!, 31) ^ (text.charCodeAt(i) + k * 0x10001));
  }
  return words;
}

/** Digest of a digest and a number, which counts by its value rounded to f32. */
export function digestNumber(base: Digest, value: number): Digest {
  const bits = bitsOf(value);
  return [0, 1, 2, 3].map((k) => spread(base[k]! ^ spread(bits ^ SEEDS[k]!))) as unknown as Digest;
}

/** Adds a digest to sums modulo 2^32: the order of what is added does not count, how often does. */
export function accumulate(sums: Uint32Array, digest: Digest): void {
  for (let k = 0; k < 4; k++) sums[k]! += digest[k]!;
}

/** 32 hexadecimal digits. */
export function hexOf(words: ArrayLike<number>): string {
  return Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function bitsOf(value: number): number {
  float[0] = value;
  return bits[0]!;
}
