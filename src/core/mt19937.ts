/**
 * Mersenne Twister MT19937 as numpy's `RandomState` draws from it, for splits that equal the reference's to the row.
 *
 * Source: Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998); numpy's legacy `RandomState(seed).permutation`
 * (frozen by numpy's compatibility policy).
 *
 * @module
 */

import { LimitError } from "./errors.ts";

const N = 624;
const M = 397;

/** The generator; one seed gives one sequence of u32. */
export class Mt19937 {
  readonly #state = new Uint32Array(N);
  #at = N;

  /**
   * Seeds with `init_genrand`, as `numpy.random.RandomState(seed)` does.
   *
   * @param seed Integer in [0, 2^32).
   * @throws {LimitError} If the seed is none.
   */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
      throw new LimitError(`Cannot seed MT19937: ${seed}, an integer from 0 to 2^32 - 1 is needed`);
    }
    const state = this.#state;
    state[0] = seed;
    for (let i = 1; i < N; i++) {
      const before = state[i - 1]!;
      state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
  }

  /** Next 32-bit word. */
  u32(): number {
    if (this.#at === N) this.#twist();
    let y = this.#state[this.#at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  /** Uniform integer in [0, most], both included, by numpy's masked rejection; `most` below 2^32. */
  upTo(most: number): number {
    if (most === 0) return 0;
    const mask = 0xffffffff >>> Math.clz32(most);
    let value = (this.u32() & mask) >>> 0;
    while (value > most) value = (this.u32() & mask) >>> 0;
    return value;
  }

  /** A permutation of 0..n-1, equal to `RandomState(seed).permutation(n)` when it is the first draw. */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.upTo(i);
      const swap = order[i]!;
      order[i] = order[j]!;
      order[j] = swap;
    }
    return order;
  }

  #twist(): void {
    const state = this.#state;
    for (let i = 0; i < N; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % N]! & 0x7fffffff);
      state[i] = state[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#at = 0;
  }
}
