/**
 * Batches over volumes: every other one is of a single volume, so that patches of one tissue must be told apart; the others
 * hold all volumes in equal parts, as many as there is room for.
 *
 * @module
 */

import { Rng, streamOf } from "../../core/rng.ts";
import type { ScheduleOptions } from "../../train/schedule.ts";

/** Draws numbers from 0 to `count` without end, each once before any comes again. */
function* shuffled(rng: Rng, count: number): Generator<number, never> {
  for (;;) yield* rng.permutation(count);
}

/**
 * The order of an epoch, which has as many items as there are pairs. Volumes count the same whatever their number of pairs.
 *
 * @param volumes Pairs of each volume; those without take no part.
 */
export function balancedBatches(
  volumes: readonly (readonly number[])[],
  { batch, seed }: { readonly batch: number; readonly seed: number },
): Pick<ScheduleOptions, "count" | "order"> {
  const own = volumes.filter(({ length }) => length > 0);
  const count = own.reduce((sum, { length }) => sum + length, 0);
  const size = Math.min(batch, count);
  const batches = Math.floor(count / size);
  return {
    count,
    order(epoch) {
      const rng = new Rng(seed, streamOf(`volumes of epoch ${epoch}`));
      const queues = own.map(({ length }) => shuffled(rng, length));
      const [turns, alone] = [shuffled(rng, own.length), shuffled(rng, own.length)];
      const draw = (v: number) => own[v]![queues[v]!.next().value]!;
      const items: number[] = [];
      for (let b = 0; b < batches; b++) {
        const single = b % 2 === 1 ? alone.next().value : undefined;
        for (let i = 0; i < size; i++) items.push(draw(single ?? turns.next().value));
      }
      return Uint32Array.from(items);
    },
  };
}
