/** Slides to features, with an encoder whose answers are known: resumed, damaged, empty; and what is judged of the outputs. */

import assert from "node:assert/strict";
import { differing } from "../../src/core/facts.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import type { MadeBy } from "../../src/embed/feature_table.ts";
import { madeBy } from "../../src/embed/made_by.ts";
import {
  embedTiles,
  judgeFeatures,
  slideFacts,
  type SlideSettings,
  slideTable,
  type TileEmbedder,
} from "../../src/embed/slide_job.ts";
import { FeatureWriter } from "../../src/embed/writer.ts";
import { openFeatures } from "../../src/io/features.ts";
import type { OpenedEncoder } from "../../src/models/opened_encoder.ts";
import { disk, openFile } from "../../src/io/fs.ts";
import { H5File } from "../../src/io/hdf5/h5.ts";
import { type PlanGiven, planSlide, writePlan } from "../../src/slides/plan.ts";
import { slidePaths } from "../../src/slides/tree.ts";
import { encodePng } from "../../src/io/image/png_write.ts";
import { openTiles } from "../../src/worker/tile_pool.ts";

const DIM = 3;
const by: MadeBy = {
  ...{ encoder: "uni2-h", dim: DIM, weightsHash: "aa", precision: "f32", pooling: "cls", inputSize: 224 },
  ...{ preparation: "as it is", assumed: [], software: "seal-webgpu test" },
};
const settings: SlideSettings = {
  kind: { scale: "nominal", magnification: 20, patch: 20, overlap: 0 },
  choice: { minTissue: 0 },
  tissue: {},
  everywhere: true,
  ...{ edge: "white", badTiles: "skip", strict: false },
};
const given: PlanGiven = { flag: 0.5 };

/** Means of the channels of each tile; throws at the batch that is told, as a process is killed. */
function fake(killAt = Infinity): TileEmbedder & { batches: number } {
  let rows: number[] = [];
  const embedder = {
    batchSize: 4,
    batches: 0,
    get full() {
      return rows.length / DIM > 8;
    },
    get waiting() {
      return rows.length / DIM;
    },
    submit(pixels: Uint8Array, height: number, width: number) {
      if (++embedder.batches > killAt) throw new Error("killed");
      const each = height * width * 3;
      for (let at = 0; at < pixels.length; at += each) {
        const sums = [0, 0, 0];
        for (let i = 0; i < each; i++) sums[i % 3]! += pixels[at + i]!;
        rows.push(...sums.map((sum) => sum / (height * width)));
      }
      return Promise.resolve();
    },
    flush() {
      const out = Float32Array.from(rows);
      rows = [];
      return Promise.resolve(out);
    },
  };
  return embedder;
}

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function embed(path: string, out: string, embedder: TileEmbedder, by_: MadeBy = by, s = settings, g = given) {
  const slide = await openSlide(await openFile(path));
  const plan = await planSlide(slide, "S", s, g);
  slide.close();
  const facts = slideFacts("S", by_, "none", s, { input: "cc" });
  const writer = FeatureWriter.open(disk, out, "h5", slideTable(plan, by_, facts, "features", s.strict));
  const { grid, tiles } = plan;
  const cut = { edge: s.edge, badTiles: s.badTiles, batch: embedder.batchSize, workers: 0 };
  try {
    const open = (from: number) => openTiles(path, grid, tiles.coords.subarray(2 * from), cut);
    const skipped = await embedTiles(disk, embedder, writer, tiles.count, grid.patch, DIM, open);
    return { skipped, facts, plan };
  } finally {
    writer.close();
  }
}

const GOOD = new URL("../fixtures/slides/zstd_tiles.tif", import.meta.url).pathname;

/** The slide with two of its six tiles damaged. */
function damage(path: string): void {
  const bytes = Deno.readFileSync(GOOD);
  const frames = [...bytes.keys()].filter((i) => bytes[i] === 0x28 && bytes[i + 1] === 0xb5 && bytes[i + 2] === 0x2f);
  for (const at of [frames[1]!, frames[3]!]) bytes.fill(0xff, at, at + 8);
  Deno.writeFileSync(path, bytes);
}

Deno.test("Features made by other measured kernels are others, whether the command or the file names them", async () => {
  await inFolder(async (folder) => {
    const [plain, tuned] = [`${folder}/plain.h5`, `${folder}/tuned.h5`];
    const measured = { ...by, tuning: "0badcafe" };
    const { facts } = await embed(GOOD, plain, fake());
    const { facts: asked } = await embed(GOOD, tuned, fake(), measured);
    const verdicts = [[plain, facts], [tuned, asked], [plain, asked], [tuned, facts]] as const;
    const found = await Promise.all(verdicts.map(([path, facts]) => judgeFeatures(disk, path, facts, DIM)));
    assert.deepEqual(found.map((one) => one.verdict === "stale" ? one.why : one.verdict), [
      ...["complete", "complete"],
      ...["tuning none, now 0badcafe", "tuning 0badcafe, now none"],
    ]);
    const encoder = { spec: { input: {} }, parameters: { gpu: { tuning: { mark: "0badcafe" } } } };
    assert.equal(madeBy({ encoder } as unknown as OpenedEncoder, { precision: "f32" }).tuning, "0badcafe");
    const { facts: units } = await embed(GOOD, `${folder}/units.h5`, fake(), { ...by, matrix: "8x8x8" });
    assert.equal(differing(facts, units), "matrix_units none, now 8x8x8");
    assert.equal(differing(units, facts), "matrix_units 8x8x8, now none");
    // Of a version before, which names none.
    const { tuning: _, ...older } = facts;
    assert.equal(differing(older, facts), "");
    assert.notEqual(differing(older, asked), "");
  });
});

Deno.test("A slide that is stopped at any batch goes on and gives the same bytes, damaged tiles left out and counted", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/bad.tif`;
    damage(path);
    const whole = fake();
    const { skipped, facts, plan } = await embed(path, `${folder}/whole.h5`, whole);
    assert.ok(skipped!.length > 4 && skipped!.length < plan.tiles.count && whole.batches > 3, `${skipped}`);
    const wanted = Deno.readFileSync(`${folder}/whole.h5`);
    for (let kill = 0; kill < whole.batches; kill++) {
      const out = `${folder}/k${kill}.h5`;
      await assert.rejects(embed(path, out, fake(kill)), /killed/);
      assert.equal(disk.look(out), undefined);
      // Killed a second time on the way.
      await embed(path, out, fake(1)).catch(() => {});
      const end = disk.look(out) === undefined ? await embed(path, out, fake()) : undefined;
      if (end !== undefined) assert.deepEqual(end.skipped, skipped);
      assert.deepEqual(Deno.readFileSync(out), wanted, `${kill}`);
    }
    assert.deepEqual([...Deno.readDirSync(folder)].filter(({ name }) => /partial/.test(name)), []);
    const features = await openFeatures(disk.open(`${folder}/whole.h5`, "read"));
    const kept = Array.from({ length: plan.tiles.count }, (_, i) => i).filter((tile) => !skipped!.includes(tile));
    assert.equal(features.count, kept.length);
    assert.deepEqual(
      [...features.coords!],
      kept.flatMap((tile) => [...plan.tiles.coords.subarray(2 * tile, 2 * tile + 2)]),
    );
    const good = await openSlide(await openFile(GOOD));
    const first = (await good.read(0, 0, 0, 20, 20)).data;
    const mean = [0, 1, 2].map((c) => first.filter((_, i) => i % 3 === c).reduce((a, b) => a + b, 0) / 400);
    assert.deepEqual([...(await features.read(0, 1))], [...Float32Array.from(mean)]);
    features.close();
    const verdict = await judgeFeatures(disk, `${folder}/whole.h5`, facts, DIM);
    assert.deepEqual(verdict, { verdict: "complete", tiles: kept.length, damaged: skipped!.length });
  });
});

Deno.test("Outputs are judged by themselves: complete, missing, stale and why", async () => {
  await inFolder(async (folder) => {
    const out = `${folder}/f.h5`;
    const { facts, plan } = await embed(GOOD, out, fake());
    assert.deepEqual(await judgeFeatures(disk, out, facts, DIM), {
      ...{ verdict: "complete", tiles: plan.tiles.count, damaged: 0 },
    });
    assert.deepEqual(await judgeFeatures(disk, `${folder}/g.h5`, facts, DIM), { verdict: "missing" });
    const stale = async (why: RegExp, other: Record<string, string | number>, dim = DIM) => {
      const found = await judgeFeatures(disk, out, { ...facts, ...other }, dim);
      assert.ok(found.verdict === "stale" && why.test(found.why), JSON.stringify(found));
    };
    await stale(/weights_sha256 aa, now bb/, { weights_sha256: "bb" });
    await stale(/grid .*"patch":20.*, now .*"patch":21/, { grid: JSON.stringify({ ...settings.kind, patch: 21 }) });
    await stale(/dim 3, now 4/, {}, 4);
    const bytes = Deno.readFileSync(out);
    const row = new Uint8Array(Float32Array.from(await (await openFeatures(disk.open(out, "read"))).read(0, 1)).buffer);
    const at = bytes.findIndex((_, i) => row.every((byte, k) => bytes[i + k] === byte));
    bytes[at]! ^= 1;
    Deno.writeFileSync(out, bytes);
    await stale(/SHA-256/, {});
    Deno.writeFileSync(out, bytes.subarray(0, 500));
    await stale(/./, {});
    Deno.writeTextFileSync(out, "");
    await stale(/./, {});
  });
});

Deno.test("A plan takes tissue by colour, by polygons, by images, within regions, or everywhere; and is shown in TRIDENT's tree", async () => {
  await inFolder(async (folder) => {
    const slide = await openSlide(await openFile(GOOD));
    const polygon = (x0: number, y0: number, x1: number, y1: number) =>
      new TextEncoder().encode(JSON.stringify({
        type: "Polygon",
        coordinates: [[[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]],
      }));
    const cells = async (s: Partial<SlideSettings>, g: PlanGiven = {}) => {
      const { tiles, facts } = await planSlide(slide, "S", { ...settings, everywhere: false, ...s }, {
        ...given,
        ...g,
      });
      return { count: tiles.count, facts };
    };
    // 150 x 100 pixels of 0.5 µm: everything is smaller than the usual least piece.
    assert.equal((await cells({})).count, 0);
    const fine = await cells({ tissue: { spacing: 1, piece: 10, close: 1, hole: 10 } });
    assert.ok(fine.count > 8 && fine.count < 40 && fine.facts["tissue_by"] === "chroma", JSON.stringify(fine));
    assert.equal((await cells({ everywhere: true })).count, 40);
    const tissue = { path: "t.json", bytes: polygon(0, 0, 60, 40) };
    const half: Partial<SlideSettings> = { choice: { minTissue: 0.5 }, tissue: { spacing: 0.5 } };
    assert.equal((await cells(half, { tissue })).count, 6);
    const regions = { path: "r.json", bytes: polygon(40, 0, 150, 100) };
    assert.equal((await cells(half, { tissue, regions })).count, 2);
    assert.equal((await cells({ ...half, everywhere: true }, { regions })).count, 27 + 3);
    const mask = encodePng({ width: 15, height: 10, data: new Uint8Array(450).map((_, i) => i < 90 ? 255 : 0) });
    assert.equal((await cells(half, { tissue: { path: "m.png", bytes: mask } })).count, 8);
    const plan = await planSlide(slide, "S", settings, given);
    const paths = slidePaths("S", plan.grid, "uni_v2");
    for (const path of Object.values(paths)) {
      Deno.mkdirSync(`${folder}/${path.replace(/\/[^/]*$/, "")}`, { recursive: true });
    }
    await writePlan(disk, folder, slide, plan, paths);
    for (const key of ["thumbnail", "contours", "visualization"] as const) {
      const image = await openSlide(await openFile(`${folder}/${paths[key]}`));
      assert.deepEqual([image.levels[0]!.width, image.levels[0]!.height], [150, 100]);
      image.close();
    }
    assert.equal(JSON.parse(Deno.readTextFileSync(`${folder}/${paths.geojson}`)).type, "FeatureCollection");
    using file = await H5File.open(disk.open(`${folder}/${paths.patches}`, "read"));
    assert.deepEqual([...file.numbers("/coords")], [...plan.tiles.coords]);
    slide.close();
  });
});

Deno.test("A slide without tiles has features of no rows, and one that is stopped keeps what it has", async () => {
  await inFolder(async (folder) => {
    const out = `${folder}/e.h5`;
    const empty = { ...settings, everywhere: false };
    const { skipped, facts } = await embed(GOOD, out, fake(), by, empty);
    assert.deepEqual(skipped, []);
    assert.deepEqual(await judgeFeatures(disk, out, facts, DIM), { verdict: "complete", tiles: 0, damaged: 0 });
    const slide = await openSlide(await openFile(GOOD));
    const plan = await planSlide(slide, "S", settings, given);
    slide.close();
    const stop = new AbortController();
    const table = slideTable(plan, by, slideFacts("S", by, "none", settings, { input: "cc" }), "f", false);
    const writer = FeatureWriter.open(disk, `${folder}/s.h5`, "h5", table);
    const open = (from: number) =>
      openTiles(GOOD, plan.grid, plan.tiles.coords.subarray(2 * from), {
        batch: 4,
        workers: 0,
        edge: "white",
        badTiles: "skip",
      });
    const found = await embedTiles(disk, fake(), writer, plan.tiles.count, plan.grid.patch, DIM, open, {
      onProgress: (done) => done >= 8 && stop.abort(),
      signal: stop.signal,
    });
    assert.deepEqual([found, writer.rows], [undefined, 8]);
    writer.close();
  });
});
