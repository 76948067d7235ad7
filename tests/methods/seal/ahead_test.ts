/** What the host makes is made while the device works, once, and in the order in which it is wanted. */

import assert from "node:assert/strict";
import { AheadImages } from "../../../src/train/ahead_images.ts";
import { stepRunner } from "../../../src/train/step.ts";
import { pixelInput } from "../../../src/train/row_input.ts";
import { StemCache, type ViewOf } from "../../../src/train/stem_cache.ts";
import { DeviceStemStore } from "../../../src/train/stem_store.ts";
import { batchOf, buildCase, compileAlign, deviations } from "../../../src/methods/seal/proof/case.ts";
import { formulaImages, range } from "../../../src/verify/formula.ts";
import { openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const views = (...pairs: number[]): ViewOf[] => pairs.map((pair) => ({ pair, view: 0 }));
const NOTHING = { img: 0, gene: 0, head: 0 };

Deno.test("images that were begun are taken once, kept where they are taken again, and fail for who takes them", async () => {
  const asked: string[] = [];
  const images = new AheadImages((of) => {
    asked.push(of.map(({ pair }) => pair).join());
    return of[0]!.pair === 9 ? Promise.reject(new Error("damaged")) : Promise.resolve(Uint8Array.of(of[0]!.pair));
  });
  images.begin(views(1, 2));
  images.begin(views(1, 2));
  images.begin(views(9));
  assert.deepEqual(await images.take(views(1, 2), true), Uint8Array.of(1));
  assert.deepEqual(await images.take(views(1, 2)), Uint8Array.of(1));
  assert.deepEqual(asked, ["1,2", "9"]);
  await images.take(views(1, 2));
  await assert.rejects(images.take(views(9)), /damaged/);
  assert.deepEqual(asked.slice(0, 3), ["1,2", "9", "1,2"]);
});

for (const micro of [6, 2]) {
  Deno.test(`a stage asks for images of the next batch before the current one is computed, in parts of ${micro}`, async () => {
    const { model, optimizer, side, destroy } = buildCase(gpu);
    const log: string[] = [];
    const formula = formulaImages(side);
    const input = pixelInput(model.encoder, (of) => {
      log.push(`images ${of.map(({ pair }) => pair).join()}`);
      return formula(of);
    }, side);
    const { load } = input;
    const rows = {
      ...input,
      load: async (...args: Parameters<typeof load>) => {
        log.push(`load ${args[2].map(({ pair }) => pair).join()}`);
        await load(...args);
      },
    };
    const step = await compileAlign(model, rows, optimizer, { batch: 6, micro, std: deviations() });
    const runner = stepRunner(step, { total: 3, accumulate: 1 }, (t) => batchOf(range(6, 6 * t)));
    for (let t = 0; t < 3; t++) await runner.submit(NOTHING, t);
    const parts = 6 / micro;
    const key = (t: number, part: number) => range(micro, 6 * t + part * micro).join();
    for (let t = 0; t < 3; t++) {
      for (let part = 0; part < parts; part++) {
        const [asked, loaded] = [`images ${key(t, part)}`, `load ${key(t, part)}`];
        assert.equal(log.filter((line) => line === asked).length, 1, "each image is made once");
        assert.ok(log.indexOf(asked) < log.indexOf(loaded));
        assert.equal(log.filter((line) => line === loaded).length, parts === 1 ? 1 : 2);
        // Made while the one before is computed: before its last part is loaded.
        if (t > 0) assert.ok(log.indexOf(asked) < log.lastIndexOf(`load ${key(t - 1, parts - 1)}`), asked);
      }
    }
    runner.destroy();
    destroy();
  });
}

Deno.test("a stem cache reads the images of the next piece while it computes one, each once", async () => {
  const { model: { encoder }, side, destroy } = buildCase(gpu, { cache: "memory" });
  const cut = encoder.deepestCut()!;
  const store = new DeviceStemStore(gpu, { rows: 8, shapes: encoder.cutShapes(cut), dtype: "f32" });
  const asked: string[] = [];
  const formula = formulaImages(side);
  let done = 0;
  const stemCache = await StemCache.create(gpu, encoder, {
    cut,
    store,
    dtype: "f32",
    pairs: 64,
    tile: side,
    batch: 2,
    images: (of) => {
      asked.push(`${of.map(({ pair }) => pair).join()} at ${done}`);
      return formula(of);
    },
  });
  stemCache.ahead(views(0, 1));
  await stemCache.ensure(views(0, 1, 2, 3, 4, 4, 0), (n) => done = n);
  assert.deepEqual(asked, ["0,1 at 0", "2,3 at 0", "4 at 2"]);
  assert.equal(stemCache.computed, 5);
  stemCache.ahead(views(0, 4));
  assert.equal(asked.length, 3, "nothing is missing");
  stemCache.destroy();
  store.close();
  destroy();
});
