/**
 * Counter-based random numbers: Threefry-2x32 with 20 rounds, the same bits on CPU and GPU (`kernels/lib/threefry.wgsl`).
 *
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11 (Random123).
 *
 * @module
 */

const PARITY = 0x1bd11bda;
const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]] as const;

/** Two 32-bit words that depend on the key and the counter only. */
export function threefry2x32(k0: number, k1: number, c0: number, c1: number): [number, number] {
  const keys = [k0 >>> 0, k1 >>> 0, (PARITY ^ k0 ^ k1) >>> 0] as const;
  let x = (c0 + keys[0]) >>> 0;
  let y = (c1 + keys[1]) >>> 0;
  for (let group = 0; group < 5; group++) {
    for (const r of ROTATIONS[(group & 1) as 0 | 1]) {
      x = (x + y) >>> 0;
      y = ((y << r) | (y >>> (32 - r))) >>> 0;
      y = (y ^ x) >>> 0;
    }
    x = (x + (keys[(group + 1) % 3] as number)) >>> 0;
    y = (y + (keys[(group + 2) % 3] as number) + group + 1) >>> 0;
  }
  return [x, y];
}

/** Number of the random stream of a name: FNV-1a, 32 bits. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Sets the numbers that plans draw apart from other uses of a seed. */
const PLAN_STREAM = 0x706c616e;

/**
 * What a plan draws its random numbers from, u32 `[4]`: the key of the step (two words), number of the first row that the
 * plan sees of the batch, number of the step. Word `c` of row `r` of what is drawn under a name is word `c & 1` of
 * Threefry-2x32-20 with key (word 0, word 1 ^ {@linkcode streamOf} the name) and counter (c >> 1, first row + r): it does not
 * depend on how a batch is split, nor on what else is drawn.
 *
 * @param step Number of the batch.
 * @param row Where in the batch the plan's rows begin.
 */
export function randomState(seed: number, step: number, row: number = 0): [number, number, number, number] {
  return [...threefry2x32(seed, PLAN_STREAM, step >>> 0, Math.floor(step / 2 ** 32)), row, step >>> 0];
}

/** A stream of random numbers: word `i` depends on seed, stream and `i` only. */
export class Rng {
  #counter = 0;
  #spare: number | undefined;
  /**
   * Starts a stream at its first word.
   *
   * @param seed Key word 0.
   * @param stream Key word 1; streams of one seed are independent.
   */
  constructor(readonly seed: number, readonly stream: number = 0) {}

  /** Next 32-bit word. */
  u32(): number {
    if (this.#spare !== undefined) {
      const word = this.#spare;
      this.#spare = undefined;
      return word;
    }
    const c = this.#counter++;
    const [x, y] = threefry2x32(this.seed, this.stream, c >>> 0, Math.floor(c / 2 ** 32));
    this.#spare = y;
    return x;
  }

  /** Uniform in [0, 1) with 24 random bits, exact in f32. */
  uniform(): number {
    return (this.u32() >>> 8) / 2 ** 24;
  }

  /** Uniform integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal by Box-Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** `n` standard normals times `std`, as f32. */
  normals(n: number, std = 1): Float32Array {
    return Float32Array.from({ length: n }, () => this.normal() * std);
  }

  /** `n` uniforms in [lo, hi), as f32. */
  uniforms(n: number, lo = 0, hi = 1): Float32Array {
    return Float32Array.from({ length: n }, () => lo + (hi - lo) * this.uniform());
  }

  /** A permutation of 0..n-1 (Fisher-Yates). */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const swap = order[i] as number;
      order[i] = order[j] as number;
      order[j] = swap;
    }
    return order;
  }
}
