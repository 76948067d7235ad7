/** Gradient caching and the stem's cache change how a step is computed, not what it computes. */

import assert from "node:assert/strict";
import type { Gpu } from "../../../src/gpu/device.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { Store } from "../../../src/graph/store.ts";
import { disk } from "../../../src/io/fs.ts";
import { StemCache, stemInputs } from "../../../src/train/stem_cache.ts";
import { checkStemBudget, DeviceStemStore, DiskStemStore, type StemStore } from "../../../src/train/stem_store.ts";
import { cachedInput, pixelInput, type RowInput } from "../../../src/train/row_input.ts";
import { kernelPaths, openGpu } from "../../gpu/shared.ts";
import {
  batchOf,
  buildCase,
  compileAlign,
  deviations,
  type Overrides,
  type SealCase,
} from "../../../src/methods/seal/proof/case.ts";
import { formulaImages, range } from "../../../src/verify/formula.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const BATCH = 7;
const NOTHING = { img: 0, gene: 0, head: 0 };

interface Run {
  readonly losses: Record<string, number>[];
  /** First moments after the steps: (1 - beta1) times the gradients, at learning rate 0. */
  readonly moments: Map<string, Float32Array>;
}

async function run(
  set: Overrides,
  { on = gpu, micro, accumulate = 1, steps = 2, nudge = () => 0 }: {
    on?: Gpu;
    micro?: number;
    accumulate?: number;
    steps?: number;
    /** Added to an element of a low-rank update. */
    nudge?: (name: string, i: number) => number;
  },
  visionOf: (seal: SealCase) => RowInput | Promise<RowInput> = ({ model, side }) =>
    pixelInput(model.encoder, formulaImages(side), side),
): Promise<Run> {
  const seal = buildCase(on, set);
  const { model, optimizer } = seal;
  // B of LoRA starts at zero, where A has no gradient.
  for (const [name, tensor] of model.parameters.trainableEntries()) {
    if (!name.includes("lora_")) continue;
    const data = Float32Array.from({ length: tensor.size }, (_, i) => Math.sin(i + 1) / 8 + nudge(name, i));
    model.parameters.store.write(tensor, data);
  }
  const step = await compileAlign(model, await visionOf(seal), optimizer, {
    batch: BATCH,
    micro,
    accumulate,
    seed: 9,
    std: deviations(),
    ring: 8,
  });
  assert.equal(step.micro, micro ?? BATCH);
  for (let t = 0; t < steps; t++) {
    await step.submit(NOTHING, (i) => batchOf(range(BATCH, BATCH * (t * accumulate + i))));
  }
  const losses = await step.readMetrics();
  const moments = new Map(
    [...await optimizer.read()].filter(([name]) => name.startsWith("exp_avg."))
      .map(([name, { data }]) => [name, Float32Array.from(data)]),
  );
  step.destroy();
  seal.destroy();
  return { losses, moments };
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** The same losses and gradients, to a tolerance relative to the largest of each tensor and of all. */
function same(a: Run, b: Run, tolerance: number, slack = tolerance): void {
  assert.equal(a.losses.length, b.losses.length);
  a.losses.forEach((row, t) => {
    for (const [name, value] of Object.entries(row)) {
      assert.ok(Math.abs(value - b.losses[t]![name]!) <= tolerance * Math.max(1, Math.abs(value)), `${name} of ${t}`);
    }
  });
  assert.ok(a.moments.size > 20, `${a.moments.size} moments`);
  const all = Math.max(...[...a.moments.values()].map(largest));
  assert.ok(all > 0);
  for (const [name, data] of a.moments) {
    const off = largest(data.map((value, i) => value - b.moments.get(name)![i]!));
    assert.ok(off <= slack * Math.max(largest(data), 0.1 * all), `${name} differs by ${off} of ${largest(data)}`);
  }
}

const RICH: Overrides = { organ_token: true, use_adapter: true, adapter_bottleneck: 8, lambda_da: 0.1 };

for (const { path, on } of kernelPaths(gpu)) {
  for (const micro of [1, 3, 4]) {
    Deno.test(`micro-batches of ${micro} of ${BATCH} give losses and gradients of the whole batch, ${path}`, async () => {
      same(await run(RICH, { on }), await run(RICH, { on, micro }), 1e-5);
    });
  }
}

// Of real encoders the width is what picks a kernel's tiles.
const FULL_WIDTH = {
  "one block of ViT-S": "random:vit_small_patch16_224?depth=1&img=64",
  "two blocks of ViT-B": "random:vit_base_patch16_224?depth=2&img=32",
};

for (const [name, encoder] of Object.entries(FULL_WIDTH)) {
  Deno.test(`micro-batches give losses and gradients of the whole batch at full width on kernels for GPUs: ${name}`, async () => {
    const on = gpu.withCaps({ flat: false });
    same(await run({ encoder }, { on, steps: 1 }), await run({ encoder }, { on, steps: 1, micro: 3 }), 1e-5);
  });
}

Deno.test("micro-batches within batches that are added up, too", async () => {
  same(await run({}, { accumulate: 2 }), await run({}, { accumulate: 2, micro: 3 }), 1e-5);
});

Deno.test("both passes over a micro-batch draw the same dropout: the gradient is that of the loss", async () => {
  const set = { lora_dropout: 0.5, lambda_recon_img: 0, lambda_recon_gene: 0 };
  const at = (nudge: (name: string, i: number) => number) => run(set, { micro: 2, steps: 1, nudge });
  const still = await at(() => 0);
  const nodrop = await run({ ...set, lora_dropout: 0 }, { micro: 2, steps: 1 });
  assert.notEqual(still.losses[0]!.loss, nodrop.losses[0]!.loss);
  const updates = [...still.moments].filter(([name]) => name.includes("lora_"));
  assert.equal(updates.length, 8);
  const slope = updates.reduce((sum, [, data]) => sum + data.reduce((a, value) => a + Math.abs(value), 0), 0) / 0.1;
  const moments = new Map(updates);
  const size = 3e-4;
  const along = (sign: number) => at((name, i) => sign * size * Math.sign(moments.get(`exp_avg.${name}`)?.[i] ?? 0));
  const [up, down] = [await along(1), await along(-1)];
  const measured = (up.losses[0]!.loss! - down.losses[0]!.loss!) / (2 * size);
  assert.ok(Math.abs(measured / slope - 1) < 0.02, `slope ${measured} measured, ${slope} computed`);
});

async function stemCacheOf({ model, side }: SealCase, store: StemStore, dtype: "f32" | "f16"): Promise<StemCache> {
  const cut = model.encoder.deepestCut()!;
  const images = formulaImages(side);
  return await StemCache.create(gpu, model.encoder, { cut, store, dtype, pairs: 64, tile: side, images, batch: 4 });
}

// A relu that half precision turns over takes its part of a gradient with it.
for (const [dtype, tolerance, slack] of [["f32", 1e-5, 1e-5], ["f16", 2e-3, 0.1]] as const) {
  Deno.test(`the cache in ${dtype} gives the losses and gradients of no cache`, async () => {
    const opened: { close(): void }[] = [];
    const cached = await run({}, {}, async (seal) => {
      const cut = seal.model.encoder.deepestCut()!;
      const store = new DeviceStemStore(gpu, { rows: 2 * BATCH, shapes: seal.model.encoder.cutShapes(cut), dtype });
      const stemCache = await stemCacheOf(seal, store, dtype);
      opened.push({ close: () => (stemCache.destroy(), store.close()) });
      return cachedInput(seal.model.encoder, cut, stemCache, dtype);
    });
    same(await run({}, {}), cached, tolerance, slack);
    for (const one of opened) one.close();
  });
}

Deno.test("a cache on disk heals what is damaged and forgets what has another key", async () => {
  const folder = Deno.makeTempDirSync();
  const seal = buildCase(gpu);
  const { encoder } = seal.model;
  const cut = encoder.deepestCut()!;
  const rows = { rows: 6, shapes: encoder.cutShapes(cut), dtype: "f32" as const };
  const views = range(6).map((pair) => ({ pair, view: 0 }));
  const path = `${folder}/stem`;
  /** All rows, and how many were computed for them. */
  const segments = [{ key: "a", rows: 2 }, { key: "b", rows: 4 }];
  const load = async (key: string) => {
    const store = new DiskStemStore(gpu, rows, { disk, path, key, segments });
    const stemCache = await stemCacheOf(seal, store, "f32");
    const inputs = new Store(gpu);
    const pieces = stemInputs(inputs, encoder, { cut, dtype: "f32" }, views.length);
    inputs.allocate();
    await stemCache.load(views, pieces);
    const values = (await readback(gpu, ...pieces)).map((value) => Float32Array.from(value as Float32Array));
    const found = { values, computed: stemCache.computed, reused: store.reused, rowBytes: store.rowBytes };
    stemCache.destroy();
    store.close();
    inputs.destroy();
    return found;
  };
  const first = await load("one");
  assert.deepEqual([first.computed, first.reused], [6, false]);
  assert.ok(first.values.every((value) => largest(value) > 0));
  const expectSame = (found: typeof first, computed: number, reused: boolean) => {
    assert.deepEqual([found.computed, found.reused], [computed, reused]);
    assert.deepEqual(found.values, first.values);
  };
  expectSame(await load("one"), 0, true);
  const bytes = Deno.readFileSync(`${path}.rows`);
  bytes[first.rowBytes * 2 + 5]! ^= 1;
  Deno.writeFileSync(`${path}.rows`, bytes);
  expectSame(await load("one"), 1, true);
  Deno.truncateSync(`${path}.rows`, Math.floor(first.rowBytes * 4.5));
  expectSame(await load("one"), 2, true);
  Deno.truncateSync(`${path}.sums`, 8);
  expectSame(await load("one"), 5, true);
  Deno.writeTextFileSync(`${path}.json`, "{");
  expectSame(await load("one"), 6, false);
  expectSame(await load("two"), 6, false);
  expectSame(await load("two"), 0, true);
  seal.destroy();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a cache on disk keeps what other runs computed of the same samples, in whatever order they have them", async () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/stem`;
  const open = (...segments: [string, number][]) => {
    const rows = { rows: segments.reduce((sum, [, count]) => sum + count, 0), shapes: [[3]], dtype: "f32" as const };
    const store = new DiskStemStore(gpu, rows, {
      disk,
      path,
      key: "encoder",
      segments: segments.map(([key, count]) => ({ key, rows: count })),
    });
    return { store, count: rows.rows };
  };
  const holder = new Store(gpu);
  const piece = holder.tensor("piece", "piece", [1, 3]);
  holder.allocate();
  const put = async (store: DiskStemStore, row: number, value: number) => {
    holder.write(piece, Float32Array.of(value, value + 1, value + 2));
    await store.put([row], [piece]);
  };
  const got = async (store: DiskStemStore, row: number) => {
    assert.deepEqual(store.load([row], [piece]), []);
    return ((await readback(gpu, piece))[0] as Float32Array)[0];
  };
  const there = ({ store, count }: ReturnType<typeof open>) => range(count).map((row) => store.has(row));
  const one = open(["a", 2], ["b", 1]);
  assert.equal(one.store.reused, false);
  for (const row of [0, 1, 2]) await put(one.store, row, 10 * row);
  one.store.close();
  // The other way round, and with a sample that is new.
  const two = open(["b", 1], ["c", 2], ["a", 2]);
  assert.equal(two.store.reused, true);
  assert.deepEqual(there(two), [true, false, false, true, true]);
  assert.deepEqual([await got(two.store, 0), await got(two.store, 3), await got(two.store, 4)], [20, 0, 10]);
  await put(two.store, 2, 70);
  two.store.close();
  // A sample whose patches are others is another one; those of before are still there.
  const three = open(["A", 2], ["c", 2], ["b", 1]);
  assert.deepEqual(there(three), [false, false, false, true, true]);
  assert.deepEqual([await got(three.store, 3), await got(three.store, 4)], [70, 20]);
  three.store.close();
  // A head that lies about its segments is no head: the rows are computed again.
  const head = JSON.parse(Deno.readTextFileSync(`${path}.json`));
  for (const [i, first] of [[1, 7], [0, 2 ** 40]] as const) {
    const segments = head.segments.map((one: object, k: number) => k === i ? { ...one, first } : one);
    Deno.writeTextFileSync(`${path}.json`, JSON.stringify({ ...head, segments }));
    const four = open(["a", 2]);
    assert.deepEqual([four.store.reused, ...there(four)], [false, false, false]);
    four.store.close();
    Deno.writeTextFileSync(`${path}.json`, JSON.stringify(head));
  }
  holder.destroy();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a cache larger than allowed is refused with its size and the mend", () => {
  const rows = { rows: 1000, shapes: [[1024, 1024]], dtype: "f16" as const };
  checkStemBudget(rows, 2 ** 31);
  assert.throws(() => checkStemBudget(rows, 2 ** 30), /1000 rows take 1.95 GiB, cache_budget is 1.00/);
});
