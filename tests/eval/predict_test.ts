/** Predictions for patch files and slides, with a model whose answers are known. */

import assert from "node:assert/strict";
import { openTrainingSet } from "../../src/data/open_training_set.ts";
import type { Slide } from "../../src/data/image/slide.ts";
import { FormatError } from "../../src/core/errors.ts";
import { predictPatches, predictSlide } from "../../src/eval/predict.ts";
import { disk } from "../../src/io/fs.ts";
import { patchBytes, writeSmallSample } from "../data/pair_folder.ts";
import { planSlide } from "../../src/slides/plan.ts";
import { TileQueue } from "../../src/slides/tile_queue.ts";
import { cutTiles } from "../../src/slides/tile_reader.ts";
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

/** Predicts over a slide as `embed` would cover it. */
async function overSlide(slide: Slide, step: number, everywhere = false) {
  const kind = { scale: "physical", tile: 112, pixelSize: 0.5, overlap: 112 - step } as const;
  const plan = await planSlide(slide, "made", { kind, choice: { minTissue: 0 }, tissue: {}, everywhere }, { flag: 1 });
  const maker = { cut: (coords: Int32Array) => cutTiles(slide, plan.grid, coords) };
  const queue = new TileQueue(plan.tiles.coords, [maker], { patch: plan.grid.patch, batch: 3 });
  return { plan, found: await predictSlide(fakeModel(vocabulary), slide, plan, queue) };
}

Deno.test("predictSlide() covers the tiles that embed would, with the pixels of each", async () => {
  // 1 µm a pixel: a patch of 112 µm is 112 pixels wide.
  const slide = slideOf(1000, 800, [300, 200, 700, 600]);
  const { plan, found } = await overSlide(slide, 100);
  assert.deepEqual(
    [...found.spatial!].map((centre) => centre - 56),
    [...plan.tiles.coords],
  );
  assert.ok(found.barcodes.length >= 25 && found.barcodes.length <= 36, `${found.barcodes.length} cells`);
  const pure = decoded(Uint8Array.of(150, 60, 170), G);
  for (const [i] of found.barcodes.entries()) {
    const [x, y] = [found.spatial![2 * i]!, found.spatial![2 * i + 1]!];
    assert.ok(x > 230 && x < 770 && y > 130 && y < 670, `${x}, ${y}`);
    const inside = x >= 356 && x <= 644 && y >= 256 && y <= 544;
    const own = [...found.values.subarray(i * G, (i + 1) * G)];
    if (inside) own.forEach((value, g) => assert.ok(Math.abs(value - pure[g]!) < 1e-6));
    else assert.ok(own.some((value, g) => Math.abs(value - pure[g]!) > 1e-6));
    const { array_row: rows, array_col: columns } = found.obs as Record<string, Int32Array>;
    assert.equal(found.barcodes[i], `x${columns![i]}y${rows![i]}`);
    assert.deepEqual([100 * columns![i]! + 56, 100 * rows![i]! + 56], [x, y]);
  }
  assert.equal(found.spotDiameter, 100);
  assert.deepEqual([found.origin?.["grid_um"], found.origin?.["patch_um"]], [100, 112]);
  assert.equal(JSON.parse(String(found.origin?.["slide"])).tissue_by, "chroma");
  // Tiles at the edge go beyond it.
  assert.equal((await overSlide(slide, 100, true)).found.barcodes.length, 10 * 8);
  // Farther apart than they are wide.
  assert.equal((await overSlide(slide, 200, true)).found.barcodes.length, 5 * 4);
});

Deno.test("predictSlide() of a slide without tissue has no rows, and leaves out tiles that are damaged", async () => {
  const white = await overSlide(slideOf(1000, 800, [0, 0, 0, 0]), 100);
  assert.deepEqual([white.found.barcodes, white.found.values.length], [[], 0]);
  const slide = slideOf(300, 300, [0, 0, 300, 300]);
  const bad: Slide = {
    ...slide,
    read: (level, x, y, w, h) =>
      x >= 100 && x < 200 && y < 100
        ? Promise.reject(new FormatError("damaged", { context: {} }))
        : slide.read(level, x, y, w, h),
  };
  const { found } = await overSlide(bad, 112, true);
  assert.deepEqual(found.damaged, [1]);
  assert.deepEqual(found.barcodes, ["x0y0", "x2y0", "x0y1", "x1y1", "x2y1", "x0y2", "x1y2", "x2y2"]);
  assert.equal(found.origin?.["damaged_tiles"], 1);
});
