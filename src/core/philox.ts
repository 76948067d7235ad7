/**
 * Counter-based random numbers Philox4x32 with 10 rounds: four words depend on counter and key only, so any order of calls
 * gives the same numbers.
 *
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11 (Random123).
 *
 * @module
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** Upper 32 bits of the product of two words. */
function high(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  return (a1 * b1 + Math.floor(middle / 0x10000) + ((a0 * b1 + (middle & 0xffff)) / 0x10000 | 0)) >>> 0;
}

/**
 * Four words of a counter and a key; each argument is taken modulo 2^32, so negative integers are their two's complement.
 *
 * @returns u32 `[4]`.
 */
export function philox4x32(
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): [number, number, number, number] {
  let [w0, w1, w2, w3] = [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
  for (let round = 0; round < 10; round++) {
    const h0 = high(M0, w0);
    const h1 = high(M1, w2);
    const l0 = Math.imul(M0, w0) >>> 0;
    const l1 = Math.imul(M1, w2) >>> 0;
    w0 = (h1 ^ w1 ^ k0) >>> 0;
    w1 = l1;
    w2 = (h0 ^ w3 ^ k1) >>> 0;
    w3 = l0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [w0, w1, w2, w3];
}

/** Four numbers. */
export type Four = [number, number, number, number];

/** Blocks of one key: `R(a, b, c, stream)` of the synthetic data set. */
export class Philox {
  /**
   * Fixes the key.
   *
   * @param key0 Word 0: the seed.
   * @param key1 Word 1: the number of a slide, or 0xffffffff for what all slides share.
   */
  constructor(readonly key0: number, readonly key1: number) {}

  /** Words of a block. */
  words(a: number, b: number, c: number, stream: number): Four {
    return philox4x32(a, b, c, stream, this.key0, this.key1);
  }

  /** Uniforms of a block, in (0, 1): the middle of each of 2^32 steps. */
  uniforms(a: number, b: number, c: number, stream: number): Four {
    const [w0, w1, w2, w3] = this.words(a, b, c, stream);
    return [(w0 + 0.5) * 2 ** -32, (w1 + 0.5) * 2 ** -32, (w2 + 0.5) * 2 ** -32, (w3 + 0.5) * 2 ** -32];
  }

  /** Standard normals of a block, by Box and Muller from its two pairs of uniforms. */
  normals(a: number, b: number, c: number, stream: number): Four {
    const [u0, u1, u2, u3] = this.uniforms(a, b, c, stream);
    const [r, s] = [Math.sqrt(-2 * Math.log(u0)), Math.sqrt(-2 * Math.log(u2))];
    const [p, q] = [2 * Math.PI * u1, 2 * Math.PI * u3];
    return [r * Math.cos(p), r * Math.sin(p), s * Math.cos(q), s * Math.sin(q)];
  }

  /** A permutation of 0..n-1 (Fisher-Yates), from the first words of blocks (i, 0, 0, stream). */
  permutation(n: number, stream: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(this.uniforms(i, 0, 0, stream)[0] * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}
