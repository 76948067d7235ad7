/**
 * Which pairs a step sees: a pure function of seed and step, so that a resumed run goes on with the next batch.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { epochBatches, type NearPairs } from "../data/sampler.ts";

/** What a schedule is made of. */
export interface ScheduleOptions {
  readonly seed: number;
  /** Training pairs, numbered from 0. */
  readonly count: number;
  /** Pairs a batch; all of them where there are fewer. */
  readonly batch: number;
  /** Batches an optimiser step. */
  readonly accumulate: number;
  readonly epochs: number;
  /** Most steps; null is what the epochs give. */
  readonly steps: number | null;
  /** Neighbours kept apart, and how many a pair may have in its batch. */
  readonly near?: { readonly pairs: NearPairs; readonly most: number } | undefined;
  /** Chosen pairs that the numbers stand for; all by default. */
  readonly chosen?: Uint32Array | undefined;
}

/** The batches of a stage. */
export class Schedule {
  /** Pairs a batch. */
  readonly batch: number;
  /** Batches a step. */
  readonly accumulate: number;
  /** Optimiser steps of an epoch. */
  readonly stepsPerEpoch: number;
  /** Optimiser steps of the stage. */
  readonly total: number;
  readonly #options: ScheduleOptions;
  #epoch = -1;
  #batches: readonly Uint32Array[] = [];

  /** @throws {ConfigError} If there are fewer than two pairs. */
  constructor(options: ScheduleOptions) {
    const { count, batch, accumulate, epochs, steps } = options;
    if (count < 2) throw new ConfigError(`Cannot train on ${count} pairs: at least 2 wanted`);
    this.#options = options;
    this.batch = Math.min(batch, count);
    const batches = Math.floor(count / this.batch);
    this.accumulate = Math.min(accumulate, batches);
    this.stepsPerEpoch = Math.floor(batches / this.accumulate);
    this.total = Math.min(steps ?? Infinity, epochs * this.stepsPerEpoch);
  }

  /** Epoch that a step of the stage belongs to. */
  epoch(step: number): number {
    return Math.floor(step / this.stepsPerEpoch);
  }

  /** Whether a step is the last of its epoch, or of the stage. */
  endsEpoch(step: number): boolean {
    return (step + 1) % this.stepsPerEpoch === 0 || step + 1 === this.total;
  }

  /** Pairs of batch `i` of a step. */
  pairs(step: number, i: number): Uint32Array {
    const { seed, count, near, chosen } = this.#options;
    const epoch = this.epoch(step);
    if (epoch !== this.#epoch) {
      this.#batches = epochBatches({ seed, epoch, count, batch: this.batch, dropLast: true, near });
      this.#epoch = epoch;
    }
    const pairs = this.#batches[(step % this.stepsPerEpoch) * this.accumulate + i]!;
    return chosen ? pairs.map((pair) => chosen[pair]!) : pairs;
  }
}
