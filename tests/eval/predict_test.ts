/** Predictions for patch files and slides, with a model whose answers are known. */

import assert from "node:assert/strict";
import { openTrainingSet } from "../../src/data/open_training_set.ts";
import type { Slide } from "../../src/data/image/slide.ts";
import { predictPatches, predictSlide } from "../../src/eval/predict.ts";
import { disk } from "../../src/io/fs.ts";
import { patchBytes, writeSmallSample } from "../data/pair_folder.ts";
import { decoded, fakeModel } from "./fake_model.ts";

const root = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(root, { recursive: true }));

const genes = Array.from({ length: 9 }, (_, g) => `G${g}`);
const patched = [7, 3, 20, 0, 11];
const written = await writeSmallSample(root, { id: "A", genes, patched });
const set = await openTrainingSet(disk, { folders: [root], genes: { size: "all" }, findDuplicates: false });
const { vocabulary } = set;
const G = vocabulary.genes.length;

Deno.test("predictPatches() keeps the order of the file and takes places from the table", async () => {
  const batches: number[] = [];
  const model = fakeModel(vocabulary, new Map(), { batches });
  const told: number[] = [];
  const found = await predictPatches(
    model,
    disk,
    { patches: `${root}/patches/A.h5`, expression: `${root}/st/A.h5ad` },
    { batchSize: 2, onRows: (done) => void told.push(done) },
  );
  assert.deepEqual(found.barcodes, patched.map((spot) => written.barcodes[spot]));
  assert.deepEqual([...found.values], patched.flatMap((spot) => decoded(patchBytes("A", spot, 8), G)));
  assert.deepEqual([...found.spatial!], patched.flatMap((s) => [written.spatial[2 * s], written.spatial[2 * s + 1]]));
  assert.deepEqual(found.obs?.["array_row"], Int32Array.from(patched, (s) => written.arrayRow[s]!));
  assert.deepEqual([batches, told], [[2, 2, 1], [2, 4, 5]]);
});

Deno.test("predictPatches() without a table takes centres from the patch file", async () => {
  const found = await predictPatches(fakeModel(vocabulary), disk, { patches: `${root}/patches/A.h5` });
  const far = found.spatial!.map((value, k) => {
    return Math.abs(value - written.spatial[2 * patched[k >> 1]! + (k & 1)]!);
  });
  assert.ok(Math.max(...far) <= 1, `${far}`);
  assert.equal(found.obs, undefined);
});

Deno.test("a model without decoder is refused, and a run can be stopped", async () => {
  const files = { patches: `${root}/patches/A.h5` };
  await assert.rejects(predictPatches(fakeModel(vocabulary, new Map(), { decoder: false }), disk, files), {
    code: "no-decoder",
  });
  const signal = AbortSignal.abort();
  await assert.rejects(predictPatches(fakeModel(vocabulary), disk, files, { signal }), { name: "AbortError" });
});

/** A white slide with a purple square. */
function slideOf(width: number, height: number, tissue: readonly [number, number, number, number]): Slide {
  const [left, top, right, bottom] = tissue;
  return {
    name: "made.tif",
    levels: [{ width, height, downsample: 1 }],
    pixelSize: { um: undefined, claimed: undefined, source: "none", problem: undefined },
    associated: [],
    orientation: 1,
    notes: [],
    damaged: [],
    read(_level, x, y, w, h) {
      const data = new Uint8Array(w * h * 3).fill(240);
      for (let v = 0; v < h; v++) {
        for (let u = 0; u < w; u++) {
          const inside = x + u >= left && x + u < right && y + v >= top && y + v < bottom;
          if (inside) data.set([150, 60, 170], (v * w + u) * 3);
        }
      }
      return Promise.resolve({ width: w, height: h, data });
    },
    close() {},
  };
}

Deno.test("predictSlide() covers tissue and nothing else, with the pixels of each cell", async () => {
  // 1 µm a pixel: a patch of 112 µm is 112 pixels wide.
  const slide = slideOf(1000, 800, [300, 200, 700, 600]);
  const found = await predictSlide(fakeModel(vocabulary), slide, { pixelSize: 1, step: 100 }, { batchSize: 3 });
  assert.ok(found.barcodes.length >= 16 && found.barcodes.length <= 36, `${found.barcodes.length} cells`);
  const pure = decoded(Uint8Array.of(150, 60, 170), G);
  for (const [i] of found.barcodes.entries()) {
    const [x, y] = [found.spatial![2 * i]!, found.spatial![2 * i + 1]!];
    assert.ok(x > 230 && x < 770 && y > 130 && y < 670, `${x}, ${y}`);
    const inside = x >= 357 && x <= 643 && y >= 257 && y <= 543;
    if (inside) assert.deepEqual([...found.values.subarray(i * G, (i + 1) * G)], pure);
    else assert.notDeepEqual([...found.values.subarray(i * G, (i + 1) * G)], pure);
  }
  assert.equal(found.spotDiameter, 100);
  assert.deepEqual([found.origin?.["grid_um"], found.origin?.["patch_um"]], [100, 112]);
  assert.match(found.barcodes[0]!, /^x\d+y\d+$/);
  const all = await predictSlide(fakeModel(vocabulary), slide, { pixelSize: 1, step: 100, everywhere: true });
  assert.equal(all.barcodes.length, 9 * 7);
});

Deno.test("predictSlide() of a slide without tissue says so", async () => {
  const white = slideOf(1000, 800, [0, 0, 0, 0]);
  await assert.rejects(predictSlide(fakeModel(vocabulary), white, { pixelSize: 1, step: 100 }), { code: "no-tissue" });
});
