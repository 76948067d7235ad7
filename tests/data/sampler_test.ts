/** Order of epochs: every pair once, the same again, resumed anywhere, and near neighbours kept apart. */

import assert from "node:assert/strict";
import { centre } from "../../src/data/coordinates.ts";
import {
  epochBatches,
  epochOrder,
  type NearPairs,
  nearPairs,
  planEpoch,
  sampleBatches,
} from "../../src/data/sampler.ts";

/** Spots of a hexagonal array, `pitch` pixels apart. */
function hexagonal(rows: number, columns: number, pitch: number) {
  const xy: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) xy.push((c + (r % 2) / 2) * pitch, r * pitch * Math.sqrt(3) / 2);
  }
  return centre(xy);
}

/** Most near neighbours that any pair has in its batch; by distance, not by the lists. */
function crowding(batches: readonly Uint32Array[], samples: readonly { xy: Float64Array }[], reach: number): number {
  const owner: [number, number][] = samples.flatMap(({ xy }, s) =>
    Array.from({ length: xy.length / 2 }, (_, i): [number, number] => [s, i])
  );
  let most = 0;
  for (const batch of batches) {
    for (const a of batch) {
      let found = 0;
      for (const b of batch) {
        const [[s, i], [t, j]] = [owner[a]!, owner[b]!];
        if (a === b || s !== t) continue;
        const { xy } = samples[s]!;
        found += Number(Math.hypot(xy[2 * i]! - xy[2 * j]!, xy[2 * i + 1]! - xy[2 * j + 1]!) <= reach);
      }
      most = Math.max(most, found);
    }
  }
  return most;
}

function sorted(batches: readonly Uint32Array[]): number[] {
  return batches.flatMap((batch) => [...batch]).sort((a, b) => a - b);
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

Deno.test("every pair once, in batches of the size asked for", () => {
  for (const [count, batch] of [[1, 1], [1, 8], [7, 3], [9, 3], [100, 64], [1000, 1]] as const) {
    const batches = epochBatches({ seed: 1, epoch: 0, count, batch });
    assert.deepEqual(sorted(batches), range(count));
    assert.deepEqual(batches.slice(0, -1).filter((b) => b.length !== batch), []);
    assert.equal(batches.length, Math.ceil(count / batch));
    assert.deepEqual([...epochOrder({ seed: 1, epoch: 0, count })], batches.flatMap((b) => [...b]));
  }
});

Deno.test("the last batch is dropped only when it is smaller", () => {
  const options = { seed: 1, epoch: 0, count: 10, batch: 4 };
  const all = epochBatches(options);
  assert.deepEqual(epochBatches({ ...options, dropLast: true }), all.slice(0, 2));
  assert.equal(epochBatches({ ...options, count: 8, dropLast: true }).length, 2);
});

Deno.test("an epoch is the same again, so that a run goes on where it stopped", () => {
  const options = { seed: 42, epoch: 3, count: 500, batch: 32, dropLast: true };
  const whole = epochBatches(options);
  for (const stopped of [0, 1, 7, 14]) assert.deepEqual(epochBatches(options).slice(stopped), whole.slice(stopped));
  // Frozen: other numbers here would change every run that is resumed.
  assert.deepEqual([...epochOrder({ seed: 42, epoch: 3, count: 12 })], FROZEN);
});

const FROZEN = [6, 7, 9, 5, 3, 4, 10, 0, 11, 8, 2, 1];

Deno.test("seeds and epochs give other orders", () => {
  const orders = [[1, 0], [1, 1], [2, 0], [0, 1], [0, 0]].map(([seed, epoch]) =>
    epochOrder({ seed: seed!, epoch: epoch!, count: 200 }).join()
  );
  assert.equal(new Set(orders).size, orders.length);
});

Deno.test("every place of the order is any pair equally often", () => {
  const [count, epochs] = [6, 6000];
  const seen = Array.from({ length: count }, () => new Float64Array(count));
  for (let epoch = 0; epoch < epochs; epoch++) {
    epochOrder({ seed: 7, epoch, count }).forEach((pair, place) => seen[place]![pair]!++);
  }
  const wanted = epochs / count;
  const chi = seen.flatMap((row) => [...row]).reduce((sum, n) => sum + (n - wanted) ** 2 / wanted, 0);
  // Chi-squared with 25 degrees of freedom: 60 has a probability of 1e-4.
  assert.ok(chi < 60, String(chi));
});

Deno.test("near pairs are those of one sample within the distance", () => {
  const samples = [hexagonal(6, 7, 100), hexagonal(5, 4, 37)];
  for (const [within, inner] of [[1, 6], [2, 18]] as const) {
    const near = nearPairs(samples.map((spatial) => ({ spatial })), within);
    assert.equal(near.indptr.length, 6 * 7 + 5 * 4 + 1);
    const wanted = bruteForce(samples.map(({ xy }) => xy), [100, 37], within);
    assert.deepEqual(lists(near), wanted);
    assert.equal(Math.max(...wanted.map((list) => list.length)), inner);
  }
  const pitch = nearPairs([{ spatial: samples[0]!, pitch: 50 }], 1);
  assert.equal(pitch.indices.length, 0);
});

function lists({ indptr, indices }: NearPairs): number[][] {
  return range(indptr.length - 1).map((i) => [...indices.slice(indptr[i]!, indptr[i + 1]!)]);
}

function bruteForce(places: Float64Array[], pitches: number[], within: number): number[][] {
  let first = 0;
  return places.flatMap((xy, s) => {
    const n = xy.length / 2;
    const out = range(n).map((i) =>
      range(n).filter((j) =>
        i !== j && Math.hypot(xy[2 * i]! - xy[2 * j]!, xy[2 * i + 1]! - xy[2 * j + 1]!) <= 1.1 * within * pitches[s]!
      ).map((j) => first + j)
    );
    first += n;
    return out;
  });
}

Deno.test("spots in one place, and a sample of one spot, are no trouble", () => {
  const near = nearPairs([{ spatial: centre([5, 5]) }, { spatial: centre([1, 1, 1, 1]) }], 2);
  assert.deepEqual(lists(near), [[], [2], [1]]);
});

Deno.test("the cap on neighbours holds, and without it they meet", () => {
  const samples = [hexagonal(14, 15, 100), hexagonal(10, 12, 60), hexagonal(1, 1, 1)];
  const count = 14 * 15 + 10 * 12 + 1;
  const near = nearPairs(samples.map((spatial) => ({ spatial })), 1);
  const scaled = samples.map(({ xy }, s) => ({ xy: xy.map((v) => v / [100, 60, 1][s]!) }));
  for (const batch of [40, 60]) {
    for (const most of [0, 1, 2]) {
      const options = { seed: 3, epoch: 5, count, batch };
      const capped = planEpoch({ ...options, near: { pairs: near, most } });
      assert.equal(capped.unmet, 0, `${batch} ${most}`);
      assert.ok(crowding(capped.batches, scaled, 1.1) <= most);
      assert.deepEqual(sorted(capped.batches), range(count));
      assert.deepEqual(capped.batches.map((b) => b.length), epochBatches(options).map((b) => b.length));
      assert.ok(crowding(epochBatches(options), scaled, 1.1) > most, "the cap was needed");
      assert.deepEqual(planEpoch({ ...options, near: { pairs: near, most } }), capped);
    }
  }
});

Deno.test("a cap that nothing breaks changes nothing", () => {
  const none = { indptr: new Uint32Array(101), indices: new Uint32Array(0) };
  const options = { seed: 1, epoch: 1, count: 100, batch: 7 };
  assert.deepEqual(planEpoch({ ...options, near: { pairs: none } }).batches, epochBatches(options));
});

Deno.test("a cap that cannot hold is counted, and no pair is lost", () => {
  const spatial = hexagonal(5, 8, 10);
  const near = nearPairs([{ spatial }], 2);
  const { batches, unmet } = planEpoch({ seed: 1, epoch: 0, count: 40, batch: 20, near: { pairs: near, most: 0 } });
  assert.deepEqual(sorted(batches), range(40));
  assert.ok(unmet > 20);
  const scaled = [{ xy: spatial.xy.map((v) => v / 10) }];
  assert.ok(crowding(batches, scaled, 2.2) > 0);
});

Deno.test("batches of a large data set with a cap look at each neighbour a few times", () => {
  const samples = Array.from({ length: 12 }, () => ({ spatial: hexagonal(60, 64, 100) }));
  const near = nearPairs(samples, 1.5);
  let looks = 0;
  const indices = new Proxy(near.indices, {
    get(target, key) {
      looks++;
      return Reflect.get(target, key);
    },
  });
  const count = 12 * 60 * 64;
  const { unmet } = planEpoch({ seed: 1, epoch: 0, count, batch: 384, near: { pairs: { ...near, indices } } });
  assert.equal(unmet, 0);
  assert.ok(looks < 20 * near.indices.length, `${looks} looks at ${near.indices.length} neighbours`);
});

Deno.test("what is no epoch is refused", () => {
  const options = { seed: 1, epoch: 0, count: 10, batch: 4 };
  for (const bad of [{ count: 0 }, { batch: 0 }, { batch: 1.5 }, { epoch: -1 }, { batch: 11, dropLast: true }]) {
    assert.throws(() => epochBatches({ ...options, ...bad }), { name: "ConfigError" });
  }
  const near = { pairs: { indptr: new Uint32Array(4), indices: new Uint32Array(0) } };
  assert.throws(() => epochBatches({ ...options, near }), { name: "ConfigError", message: /3 pairs, 10/ });
});

Deno.test("batches of one sample each: whole batches of every sample, others in every epoch, the same again", () => {
  const samples = [{ first: 0, count: 11 }, { first: 11, count: 4 }, { first: 15, count: 8 }];
  const { count, order } = sampleBatches(samples, { batch: 4, seed: 3 });
  assert.equal(count, 20);
  const batchesOf = (epoch: number) => Array.from({ length: 5 }, (_, b) => [...order(epoch).slice(4 * b, 4 * b + 4)]);
  const sampleOf = (pair: number) => samples.findIndex(({ first, count }) => pair >= first && pair < first + count);
  const seen = new Set<number>();
  const firsts = new Set<number>();
  for (let epoch = 0; epoch < 20; epoch++) {
    const batches = batchesOf(epoch);
    assert.ok(batches.every((batch) => new Set(batch.map(sampleOf)).size === 1), "one sample a batch");
    assert.equal(new Set(batches.flat()).size, 20, "no pair twice in an epoch");
    assert.deepEqual(batches.map(([pair]) => sampleOf(pair!)).sort(), [0, 0, 1, 2, 2]);
    assert.deepEqual(batchesOf(epoch), batches);
    batches.flat().forEach((pair) => seen.add(pair));
    firsts.add(sampleOf(batches[0]![0]!));
  }
  assert.equal(seen.size, 23, "what an epoch leaves out comes in another");
  assert.equal(firsts.size, 3, "samples take turns");
});
