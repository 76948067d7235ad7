import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { LimitError } from "../../src/core/errors.ts";
import { placeStorage, type Touch } from "../../src/graph/memory.ts";
import { Storage } from "../../src/graph/tensor.ts";

const OPTIONS = { maxSlab: 1 << 30, align: 256 };

/** A random network: every step reads up to three earlier results and writes one or two. */
function randomTouches(seed: number, steps: number): { touches: Touch[]; all: Storage[] } {
  const rng = new Rng(seed);
  const all: Storage[] = [new Storage("input", 4096, "persistent")];
  const touches: Touch[] = [];
  for (let step = 0; step < steps; step++) {
    const reads = Array.from({ length: 1 + rng.below(3) }, () => all[Math.max(0, all.length - 1 - rng.below(8))]!);
    const writes = Array.from(
      { length: 1 + rng.below(2) },
      (_, i) => new Storage(`${step}.${i}`, 4 * (1 + rng.below(5000)), "transient"),
    );
    all.push(...writes);
    touches.push({ reads, writes });
  }
  return { touches, all };
}

Deno.test("placeStorage() never overlaps storage that is alive at the same time", () => {
  for (let seed = 0; seed < 50; seed++) {
    const { touches } = randomTouches(seed, 60);
    const { places, slabs, liveBytes } = placeStorage(touches, OPTIONS);
    const life = new Map<Storage, [number, number]>();
    touches.forEach(({ reads, writes }, step) => {
      for (const s of [...reads, ...writes]) life.set(s, [life.get(s)?.[0] ?? step, step]);
    });
    const items = [...places];
    for (const [a, pa] of items) {
      assert.ok(pa.offset % 256 === 0 && pa.offset + a.bytes <= slabs[pa.slab]!);
      for (const [b, pb] of items) {
        if (a === b || pa.slab !== pb.slab) continue;
        const [fa, la] = life.get(a)!;
        const [fb, lb] = life.get(b)!;
        const sameTime = fa <= lb && fb <= la;
        const sameBytes = pa.offset < pb.offset + b.bytes && pb.offset < pa.offset + a.bytes;
        assert.ok(!(sameTime && sameBytes), `${a.label} and ${b.label} overlap, seed ${seed}`);
      }
    }
    assert.ok(slabs.reduce((x, y) => x + y, 0) >= liveBytes);
  }
});

Deno.test("placeStorage() keeps inputs and outputs of a dispatch in different slabs", () => {
  for (let seed = 100; seed < 150; seed++) {
    const { touches } = randomTouches(seed, 60);
    const { places } = placeStorage(touches, OPTIONS);
    for (const { reads, writes } of touches) {
      const readSlabs = new Set(reads.map((s) => places.get(s)?.slab));
      for (const s of writes) assert.ok(!readSlabs.has(places.get(s)!.slab));
    }
  }
});

Deno.test("placeStorage() of a long chain takes the memory of two links", () => {
  const chain = Array.from({ length: 100 }, (_, i) => new Storage(`${i}`, 4096, "transient"));
  const touches = chain.slice(1).map((s, i) => ({ reads: [chain[i]!], writes: [s] }));
  const { slabs, liveBytes } = placeStorage(touches, OPTIONS);
  assert.deepEqual(slabs, [4096, 4096]);
  assert.equal(liveBytes, 8192);
});

Deno.test("placeStorage() opens another slab rather than exceed the largest buffer", () => {
  const parts = Array.from({ length: 4 }, (_, i) => new Storage(`${i}`, 1024, "transient"));
  const { slabs } = placeStorage([{ reads: [], writes: parts }], { maxSlab: 2048, align: 256 });
  assert.deepEqual(slabs, [2048, 2048]);
});

Deno.test("placeStorage() rejects storage larger than a buffer, with both numbers", () => {
  const big = new Storage("scores", 4096, "transient");
  assert.throws(
    () => placeStorage([{ reads: [], writes: [big] }], { maxSlab: 2048, align: 256 }),
    (error: unknown) => error instanceof LimitError && /scores: 4096 bytes.*2048/.test(error.message),
  );
});
