/** Batches of patches: the bytes of the files, augmented by number of the pair, whoever makes them and in which order. */

import assert from "node:assert/strict";
import { augment, view, viewOf } from "../../src/data/image/augment.ts";
import { openTrainingSet } from "../../src/data/open_training_set.ts";
import { patchCache, PatchReader, type PatchRequest, type PatchTable } from "../../src/data/patch_reader.ts";
import { openPatchSource, type PatchBatch, PatchQueue, type PatchSource } from "../../src/data/patch_source.ts";
import { epochBatches } from "../../src/data/sampler.ts";
import { disk } from "../../src/io/fs.ts";
import { openPatchPool } from "../../src/worker/patch_pool.ts";
import { patchBytes, writeSmallSample } from "./pair_folder.ts";

const root = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(root, { recursive: true }));

const SIZE = 12;
const EACH = SIZE * SIZE * 3;
const PATCHED = { A: [5, 3, 20, 0, 7, 11, 2], B: undefined, C: [1, 0] };
const genes = Array.from({ length: 9 }, (_, i) => `G${i}`);
for (const [id, patched] of Object.entries(PATCHED)) {
  await writeSmallSample(`${root}/data`, { id, genes, size: SIZE, ...(patched && { patched }) });
}
const set = await openTrainingSet(disk, { folders: [`${root}/data`], genes: { size: "all" } });
const table = set.patchTable();

/** The patch of a pair, not from the files. */
function original(pair: number): Uint8Array {
  const { sample, row } = set.locate(pair);
  const { id, barcodes } = set.samples[sample]!;
  return patchBytes(id, Number(barcodes[row]!.split("-AC")[1]), SIZE);
}

/** An epoch's requests. */
function requests(epoch: number, batch = 7): PatchRequest[] {
  return epochBatches({ seed: 3, epoch, count: set.count, batch }).map((pairs) => ({
    pairs,
    variant: { recipe: "hard", seed: 3, epoch },
  }));
}

async function collect(source: PatchSource, wanted: Iterable<PatchRequest>): Promise<PatchBatch[]> {
  const out: PatchBatch[] = [];
  for await (const batch of source.batches(wanted)) out.push(batch);
  return out;
}

async function using<T>(source: PatchSource, work: (source: PatchSource) => Promise<T>): Promise<T> {
  try {
    return await work(source);
  } finally {
    source.close();
  }
}

Deno.test("patches are those of the files, in the order asked for", async () => {
  const pairs = Uint32Array.of(30, 0, 8, 8, 32, 3);
  for (const variant of [undefined, { recipe: "none", seed: 1, epoch: 0 } as const, { view: 0 }]) {
    const { data } = await using(openPatchSource(disk, table), (source) => source.batch({ pairs, variant }));
    assert.equal(data.length, pairs.length * EACH);
    pairs.forEach((pair, i) => assert.deepEqual(data.slice(i * EACH, (i + 1) * EACH), original(pair)));
  }
});

Deno.test("each is augmented by its own number, whatever its place in the batch", async () => {
  const pairs = Uint32Array.of(4, 31, 9);
  const key = { seed: 5, epoch: 2 };
  const views = Uint8Array.from(pairs, (index) => viewOf(24, { ...key, index }));
  await using(openPatchSource(disk, table), async (source) => {
    const hard = (await source.batch({ pairs, variant: { recipe: "hard", ...key, colours: "hed" } })).data;
    const viewed = (await source.batch({ pairs, variant: { view: views, seed: 5, colours: "hed" } })).data;
    const third = (await source.batch({ pairs, variant: { view: 11, seed: 5 } })).data;
    pairs.forEach((index, i) => {
      const rgb = original(index);
      const at = (data: Uint8Array) => data.slice(i * EACH, (i + 1) * EACH);
      assert.deepEqual(at(hard), augment(rgb, SIZE, "hard", { ...key, index, colours: "hed" }));
      assert.deepEqual(at(viewed), view(rgb, SIZE, views[i]!, { seed: 5, index, colours: "hed" }));
      assert.deepEqual(at(third), view(rgb, SIZE, 11, { seed: 5, index }));
    });
    await assert.rejects(source.batch({ pairs, variant: { view: 9 } }), { name: "ConfigError" });
  });
});

Deno.test("0, 1 and 3 workers make the same bytes, twice over, with and without memory", async () => {
  const many = Uint32Array.from({ length: 3 * set.count }, (_, i) => (i * 5) % set.count);
  // Batches that are split over workers, with a view of each pair among them.
  const wanted: PatchRequest[] = [
    ...requests(0),
    { pairs: many },
    { pairs: many, variant: { view: Array.from(many, (_, i) => i % 11), seed: 5 } },
    { pairs: many, variant: { recipe: "hard", seed: 4, epoch: 1 } },
    ...requests(1),
  ];
  const base = await using(openPatchSource(disk, table, { cache: 0 }), (source) => collect(source, wanted));
  assert.deepEqual(base.map(({ pairs }) => pairs), wanted.map(({ pairs }) => pairs));
  const some = 5 * EACH + 20;
  for (
    const [workers, cache, ahead] of [[0, some, 0], [1, 0, 4], [1, some, 0], [3, 0, 0], [3, some, 4], [3, 2 ** 24, 4]]
  ) {
    const made = await using(openPatchPool(table, { workers, cache, ahead }), (source) => collect(source, wanted));
    assert.deepEqual(made, base, `${workers} workers, cache ${cache}, ${ahead} ahead`);
  }
  assert.notDeepEqual(base[0]!.data, base.at(-requests(1).length)!.data);
});

Deno.test("a run that stopped within an epoch goes on with the same batches", async () => {
  const whole = await using(openPatchPool(table, { workers: 1 }), (source) => collect(source, requests(4)));
  const rest = await using(openPatchPool(table, { workers: 2 }), (source) => collect(source, requests(4).slice(3)));
  assert.deepEqual(rest, whole.slice(3));
});

Deno.test("memory is bounded, and what it holds is not read again", async () => {
  assert.equal(patchCache(table, 0, false).bytes.length, 0);
  assert.equal(patchCache(table, 3 * EACH + 12, true).bytes.length, 3 * EACH);
  assert.equal(patchCache(table, 1e9, true).filled.length, set.count);
  const pairs = Uint32Array.of(0, 1, 2, 10);
  for (const workers of [0, 2]) {
    await using(openPatchPool(table, { workers, cache: 3 * (EACH + 4) }), async (source) => {
      await source.batch({ pairs });
      assert.equal(source.times.cached, 0);
      await Promise.all([source.batch({ pairs }), source.batch({ pairs })]);
      const { cached, patches, batches, read, wait } = source.times;
      // Pair 10 does not fit, and workers share what one of them read.
      assert.deepEqual([cached, patches, batches], [6, 12, 3]);
      assert.ok(read > 0 && wait > 0);
    });
  }
});

Deno.test("batches are made ahead, as many as asked for and no more", async () => {
  let started = 0;
  const release: (() => void)[] = [];
  const times = { read: 1, augment: 2, patches: 1, cached: 0 };
  const maker = {
    make: () => {
      const number = started++;
      return new Promise<{ data: Uint8Array<ArrayBuffer>; times: typeof times }>((resolve) =>
        release.push(() => resolve({ data: Uint8Array.of(number), times }))
      );
    },
    close: () => {},
  };
  const source = new PatchQueue(1, maker, 2);
  const loop = source.batches(Array.from({ length: 6 }, (_, i) => ({ pairs: Uint32Array.of(i) })));
  const first = loop.next();
  await Promise.resolve();
  assert.equal(started, 3);
  // They come in order, though the last is ready first.
  release[2]!();
  release[1]!();
  release[0]!();
  assert.deepEqual((await first).value!.data, Uint8Array.of(0));
  const second = loop.next();
  await Promise.resolve();
  assert.equal(started, 4);
  assert.deepEqual((await second).value!.pairs, Uint32Array.of(1));
  assert.equal(source.times.batches, 3);
  assert.deepEqual([source.times.read, source.times.augment], [3, 6]);
  await loop.return(undefined);
  assert.equal(started, 4);
});

Deno.test("an error comes in its place, from workers too, and the source goes on", async () => {
  const broken: PatchTable = { ...table, files: [table.files[0]!, `${root}/gone.h5`, table.files[2]!] };
  const good = { pairs: Uint32Array.of(0, 1) };
  const bad = { pairs: Uint32Array.of(0, 8) };
  for (const workers of [0, 2]) {
    await using(openPatchPool(broken, { workers }), async (source) => {
      const loop = source.batches([good, bad, good]);
      assert.equal((await loop.next()).value!.data.length, 2 * EACH);
      await assert.rejects(loop.next(), { name: "DataError", code: "file-missing", message: /gone\.h5/ });
      await assert.rejects(source.batch({ pairs: Uint32Array.of(set.count) }), { name: "ConfigError" });
      assert.deepEqual((await source.batch(good)).data, Uint8Array.from([...original(0), ...original(1)]));
    });
  }
  const size = { ...table, size: 8 };
  await using(openPatchPool(size, { workers: 1 }), async (source) => {
    await assert.rejects(source.batch(good), { name: "DataError", code: "patch-size" });
  });
  Deno.writeFileSync(`${root}/damaged.h5`, Deno.readFileSync(table.files[0]!).slice(0, 3000));
  await using(openPatchPool({ ...table, files: [`${root}/damaged.h5`] }, { workers: 1 }), async (source) => {
    await assert.rejects(source.batch(good), { name: "FormatError", message: /damaged\.h5/ });
  });
});

Deno.test("a closed pool refuses, and whoever waits is told", async () => {
  const source = openPatchPool(table, { workers: 1 });
  const waiting = source.batch({ pairs: Uint32Array.of(0) });
  source.close();
  await assert.rejects(waiting, /closed/);
  await assert.rejects(source.batch({ pairs: Uint32Array.of(0) }), /closed/);
  assert.throws(() => openPatchPool(table, { workers: 1.5 }), { name: "ConfigError" });
});

Deno.test("leaving the loop early leaves nothing behind", async () => {
  await using(openPatchPool(table, { workers: 2, ahead: 4 }), async (source) => {
    for await (const { pairs } of source.batches(requests(0))) {
      assert.equal(pairs.length, 7);
      break;
    }
    assert.equal((await collect(source, requests(0))).length, 5);
  });
});

Deno.test("no more files are open than may be", async () => {
  const files = Array.from({ length: 300 }, (_, i) => table.files[i % 2]!);
  const paths = files.map((path, i) => {
    const copy = `${root}/many${i}.h5`;
    Deno.linkSync(path, copy);
    return copy;
  });
  let [now, most] = [0, 0];
  const counting = {
    open: (path: string, mode: "read") => {
      const file = disk.open(path, mode);
      most = Math.max(most, ++now);
      const close = () => {
        now--;
        file.close();
      };
      return { ...file, close };
    },
  };
  const row = new Uint32Array(300);
  const reader = new PatchReader(counting as typeof disk, {
    files: paths,
    file: row.map((_, i) => i),
    row,
    size: SIZE,
  });
  const pairs = row.map((_, i) => i);
  const { data } = await reader.batch({ pairs });
  assert.deepEqual(data.slice(299 * EACH), data.slice(EACH, 2 * EACH));
  assert.ok(most <= 257 && now <= 256, `${most} ${now}`);
  reader.close();
  assert.equal(now, 0);
});
