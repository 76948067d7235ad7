/**
 * Which items (pairs, bags) a step sees: a pure function of seed and step, so that a resumed run continues with the next batch.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { epochBatches, type NearPairs } from "../data/sampler.ts";

/** What a schedule is made of. */
export interface ScheduleOptions {
  readonly seed: number;
  /** Training items, numbered from 0. */
  readonly count: number;
  /** Items a batch; all of them where there are fewer. */
  readonly batch: number;
  /** Batches an optimiser step. */
  readonly accumulate: number;
  readonly epochs: number;
  /** Most steps; null is what the epochs give. */
  readonly steps: number | null;
  /** Neighbours kept apart, and how many an item may have in its batch. */
  readonly near?: { readonly pairs: NearPairs; readonly most: number } | undefined;
  /** Chosen items that the numbers stand for; all by default. */
  readonly chosen?: Uint32Array | undefined;
  /** Items of an epoch in their order, `count` of them; by default a shuffle of all by the seed. */
  readonly order?: ((epoch: number) => Uint32Array) | undefined;
}

/** The batches of a stage. */
export class Schedule {
  /** Items a batch. */
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

  /** @throws {ConfigError} If there are fewer than two items. */
  constructor(options: ScheduleOptions) {
    const { count, batch, accumulate, epochs, steps } = options;
    if (count < 2) throw new ConfigError(`Cannot train on ${count} items: at least 2 wanted`);
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

  /** Items of batch `i` of a step. */
  items(step: number, i: number): Uint32Array {
    const { chosen } = this.#options;
    const epoch = this.epoch(step);
    if (epoch !== this.#epoch) {
      this.#batches = this.#epochBatches(epoch);
      this.#epoch = epoch;
    }
    const items = this.#batches[(step % this.stepsPerEpoch) * this.accumulate + i]!;
    return chosen ? items.map((item) => chosen[item]!) : items;
  }

  #epochBatches(epoch: number): readonly Uint32Array[] {
    const { seed, count, near, order } = this.#options;
    const { batch } = this;
    if (!order) return epochBatches({ seed, epoch, count, batch, dropLast: true, near });
    const all = order(epoch);
    return Array.from({ length: Math.floor(count / batch) }, (_, i) => all.subarray(i * batch, (i + 1) * batch));
  }
}
