/**
 * The order of an epoch: which pairs make up which batch, as a pure function of seed and epoch. A run that is resumed at
 * batch `n` computes the epoch's batches again and continues with the n-th.
 *
 * Two spots side by side show nearly the same tissue and, smoothed, nearly the same expression; a contrastive loss calls
 * one of them the negative of the other. So a batch can be told to hold at most a few near neighbours of any pair in it.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { Rng, threefry2x32 } from "../core/rng.ts";
import type { Centre } from "./coordinates.ts";
import { nearestSpot } from "./image/pixel_size.ts";
import { neighboursWithin } from "./genes/smooth.ts";

/** Sets the orders of epochs apart from other uses of a seed. */
const STREAM = 0x6f726465;
/** Looks at other places for pairs that fit nowhere, per pair of the epoch. */
const PATIENCE = 16;

/** Pairs near each other: of pair `i` those in `indices[indptr[i]]` up to `indptr[i + 1]`, itself not among them. */
export interface NearPairs {
  /** `[count + 1]`. */
  readonly indptr: Uint32Array;
  readonly indices: Uint32Array;
}

/** An epoch. */
export interface EpochOptions {
  /** Of the run; 32 bits count. */
  readonly seed: number;
  readonly epoch: number;
  /** Pairs of the data set, numbered from 0. */
  readonly count: number;
  /** Pairs a batch. */
  readonly batch: number;
  /** Leave the last batch out when it is smaller. */
  readonly dropLast?: boolean;
  /** Caps near neighbours within a batch. */
  readonly near?: {
    readonly pairs: NearPairs;
    /** Near neighbours a pair may have in its batch; 0 by default. */
    readonly most?: number;
  } | undefined;
}

/** The batches of an epoch. */
export interface Epoch {
  /** Numbers of the pairs of each batch. Together every pair once, those dropped with the last batch excepted. */
  readonly batches: readonly Uint32Array[];
  /** Pairs with more near neighbours in their batch than wanted, because no exchange avoided it. */
  readonly unmet: number;
}

/**
 * A permutation of all pairs: Fisher and Yates by the words of a counter-based generator.
 *
 * @returns `[count]`.
 */
export function epochOrder(options: Pick<EpochOptions, "seed" | "epoch" | "count">): Uint32Array {
  const [key0, key1] = threefry2x32(options.seed, STREAM, options.epoch, 0);
  const rng = new Rng(key0, key1);
  const order = Uint32Array.from({ length: options.count }, (_, i) => i);
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(rng.u32() * 2 ** -32 * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/**
 * The batches of an epoch. Without a cap they are the pieces of {@linkcode epochOrder}; with one, each pair goes in that
 * order to the first batch that has room and keeps the cap, and the last ones change places with others if need be.
 *
 * @throws {ConfigError} If a number is no natural one, or there is not one batch.
 */
export function planEpoch(options: EpochOptions): Epoch {
  const { count, batch, dropLast = false, near } = options;
  for (const [key, value, least] of [["count", count, 1], ["batch", batch, 1], ["epoch", options.epoch, 0]] as const) {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new ConfigError(`Cannot make batches: ${key} is ${value}, a whole number from ${least} wanted`);
    }
  }
  if (dropLast && count < batch) {
    throw new ConfigError(`Cannot make batches of ${batch}: ${count} pairs, at least one full batch wanted`, {
      hint: `Lower the batch size: batch_size=${count} or less`,
      context: { count, batch },
    });
  }
  const order = epochOrder(options);
  const sizes = Array.from({ length: Math.ceil(count / batch) }, (_, b) => Math.min(batch, count - b * batch));
  const placed = near === undefined
    ? { batches: sizes.map((size, b) => order.slice(b * batch, b * batch + size)), unmet: 0 }
    : new Placement(sizes, near.pairs, near.most ?? 0).run(order);
  return dropLast && sizes.at(-1)! < batch ? { ...placed, batches: placed.batches.slice(0, -1) } : placed;
}

/** The batches of {@linkcode planEpoch}. */
export function epochBatches(options: EpochOptions): readonly Uint32Array[] {
  return planEpoch(options).batches;
}

/**
 * Orders of epochs whose batches, cut off one after another, hold pairs of one sample each. Of each sample as many whole batches
 * as it has, of pairs shuffled anew in every epoch; what is left of it waits for the next. The batches come in a shuffled order.
 *
 * @param samples Where the pairs of each begin, and how many there are; at least `batch`.
 * @returns Pairs of an epoch, and their order by epoch.
 */
export function sampleBatches(
  samples: readonly { readonly first: number; readonly count: number }[],
  { batch, seed }: { readonly batch: number; readonly seed: number },
): { readonly count: number; readonly order: (epoch: number) => Uint32Array } {
  const whole = samples.map(({ count }) => Math.floor(count / batch));
  const batches = whole.reduce((sum, n) => sum + n, 0);
  const order = (epoch: number): Uint32Array => {
    const all = samples.flatMap(({ first, count }, i) => {
      // Samples shuffle differently.
      const pairs = epochOrder({ seed: (seed ^ Math.imul(i + 1, 0x9e3779b1)) >>> 0, epoch, count });
      return Array.from(
        { length: whole[i]! },
        (_, b) => pairs.slice(b * batch, (b + 1) * batch).map((pair) => first + pair),
      );
    });
    const out = new Uint32Array(batches * batch);
    epochOrder({ seed, epoch, count: batches }).forEach((from, to) => out.set(all[from]!, to * batch));
    return out;
  };
  return { count: batches * batch, order };
}

/** Pairs put into batches one after another. */
class Placement {
  readonly #members: number[][];
  /** Batch of each pair; -1 before it has one. */
  readonly #batch: Int32Array;
  /** Batches with room, ascending. */
  #open: number[];
  #patience: number;

  constructor(readonly sizes: readonly number[], readonly near: NearPairs, readonly most: number) {
    const count = sizes.reduce((sum, size) => sum + size, 0);
    if (near.indptr.length !== count + 1) {
      throw new ConfigError(`Cannot cap neighbours: lists for ${near.indptr.length - 1} pairs, ${count} wanted`);
    }
    this.#members = sizes.map(() => []);
    this.#batch = new Int32Array(count).fill(-1);
    this.#open = sizes.map((_, b) => b);
    this.#patience = PATIENCE * count;
  }

  run(order: Uint32Array): Epoch {
    for (const pair of order) {
      const place = this.#open.find((b) => this.#fits(pair, b));
      if (place !== undefined) this.#put(pair, place);
      else if (!this.#exchange(pair)) this.#put(pair, this.#least(pair));
    }
    const unmet = order.reduce((sum, pair) => sum + Number(this.#inBatch(pair, this.#batch[pair]!) > this.most), 0);
    return { batches: this.#members.map((pairs) => Uint32Array.from(pairs)), unmet };
  }

  #put(pair: number, b: number): void {
    this.#batch[pair] = b;
    if (this.#members[b]!.push(pair) === this.sizes[b]) this.#open = this.#open.filter((other) => other !== b);
  }

  /** Near neighbours of a pair in a batch. */
  #inBatch(pair: number, b: number): number {
    const { indptr, indices } = this.near;
    let found = 0;
    for (let k = indptr[pair]!; k < indptr[pair + 1]!; k++) found += Number(this.#batch[indices[k]!] === b);
    return found;
  }

  /** Whether a pair may join a batch, for its own sake and for that of its neighbours there. */
  #fits(pair: number, b: number): boolean {
    const { indptr, indices } = this.near;
    let found = 0;
    for (let k = indptr[pair]!; k < indptr[pair + 1]!; k++) {
      const other = indices[k]!;
      if (this.#batch[other] !== b) continue;
      if (++found > this.most || this.#inBatch(other, b) >= this.most) return false;
    }
    return true;
  }

  /** Puts a pair into a full batch and one of that into a batch with room. */
  #exchange(pair: number): boolean {
    for (let b = 0; b < this.sizes.length && this.#patience > 0; b++, this.#patience--) {
      const members = this.#members[b]!;
      if (members.length < this.sizes[b]! || !this.#fits(pair, b)) continue;
      for (const [at, other] of members.entries()) {
        this.#patience--;
        const place = this.#open.find((o) => this.#fits(other, o));
        if (place === undefined) continue;
        members[at] = pair;
        this.#batch[pair] = b;
        this.#put(other, place);
        return true;
      }
    }
    return false;
  }

  /** The batch with room in which a pair has the fewest neighbours. */
  #least(pair: number): number {
    const found = this.#open.map((b) => this.#inBatch(pair, b));
    return this.#open[found.indexOf(Math.min(...found))]!;
  }
}

/** Places of one sample's pairs, in the order of their numbers. */
export interface SamplePlaces {
  readonly spatial: Centre;
  /** Pixels between neighbouring spots; measured when it is left out. */
  readonly pitch?: number | undefined;
}

/**
 * Finds pairs of one sample that lie close together.
 *
 * @param samples Samples in the order in which their pairs are numbered.
 * @param within Distance in pitches, inclusive; a tenth more is still within, for spots lie a little off their lattice.
 */
export function nearPairs(samples: readonly SamplePlaces[], within: number): NearPairs {
  const ends: number[] = [0];
  const indices: number[] = [];
  let first = 0;
  for (const { spatial, pitch = nearestSpot(spatial) } of samples) {
    const count = spatial.xy.length / 2;
    const [x, y] = [0, 1].map((axis) => spatial.xy.filter((_, k) => k % 2 === axis)) as [Float64Array, Float64Array];
    // Without a pitch there are no two places, and only pairs of equal place are near.
    const reach = Number.isFinite(pitch) ? 1.1 * within * pitch : 0;
    const found = neighboursWithin(x, y, reach * reach);
    for (let i = 0; i < count; i++) {
      for (let k = found.indptr[i]!; k < found.indptr[i + 1]!; k++) {
        if (found.indices[k] !== i) indices.push(first + found.indices[k]!);
      }
      ends.push(indices.length);
    }
    first += count;
  }
  return { indptr: Uint32Array.from(ends), indices: Uint32Array.from(indices) };
}
