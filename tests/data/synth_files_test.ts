/** The synthetic data set as files: read back by this project's own readers, and the traps one by one. */

import assert from "node:assert/strict";
import { cutPatch, windows } from "../../src/data/synth/crop.ts";
import { Fields } from "../../src/data/synth/fields.ts";
import { drawExpression, geneModel, GENES } from "../../src/data/synth/genes.ts";
import { planSynth, type SynthOptions, type Trap } from "../../src/data/synth/plan.ts";
import { Renderer } from "../../src/data/synth/render.ts";
import { layOut, type Slide, SYNTH_SEED } from "../../src/data/synth/slide.ts";
import { type SynthRecord, writeSynth } from "../../src/data/synth/write.ts";
import { parseCsv } from "../../src/io/csv.ts";
import { disk, openFile } from "../../src/io/fs.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { openPatches } from "../../src/io/patches.ts";
import { toDense } from "../../src/io/sparse.ts";
import { decodeTiff, openTiff } from "../../src/io/image/tiff.ts";

const root = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(root, { recursive: true }));

/** Two small slides; equal options are written once. */
const written = new Map<string, Promise<string>>();
function dataset(options: Partial<SynthOptions> = {}): Promise<string> {
  const key = JSON.stringify(options);
  if (!written.has(key)) written.set(key, make(`${root}/${written.size}`, options).then(({ out }) => out));
  return written.get(key)!;
}

async function make(out: string, options: Partial<SynthOptions>): Promise<{ out: string; record: SynthRecord }> {
  const plan = planSynth({ profile: "smoke", slides: 2, rows: 3, cols: 6, ...options });
  const makeFolder = (path: string) => Deno.mkdirSync(path, { recursive: true });
  return { out, record: (await writeSynth(disk, out, plan, { makeFolder }))! };
}

async function counts(path: string): Promise<Float32Array> {
  const file = await H5ad.open(disk.open(path, "read"));
  try {
    const { x } = file;
    return toDense(x.read(0, x.rows), x.columns);
  } finally {
    file.close();
  }
}

async function patchRows(path: string): Promise<Map<string, { coords: number[]; pixels: Uint8Array }>> {
  const patches = await openPatches(disk.open(path, "read"));
  const rows = new Map<string, { coords: number[]; pixels: Uint8Array }>();
  for (const [i, barcode] of patches.barcodes!.entries()) {
    rows.set(barcode, { coords: [...patches.coords!.slice(2 * i, 2 * i + 2)], pixels: patches.read(i, i + 1) });
  }
  patches.close();
  return rows;
}

function slide(number: number, mixedPixelSize = true): Slide {
  return layOut({ seed: SYNTH_SEED, slide: number, rows: 10, cols: 40, mixedPixelSize, slidesPerDonor: 1 });
}

function spatialOf({ spots, pixelSize }: Slide): Float64Array {
  return Float64Array.from(spots.flatMap(({ x, y }) => [x / pixelSize, y / pixelSize]));
}

Deno.test("own readers give back counts, places and patches", async () => {
  const out = await dataset();
  const first = layOut({
    seed: SYNTH_SEED,
    slide: 0,
    rows: 3,
    cols: 6,
    mixedPixelSize: false,
    slidesPerDonor: 1,
  });
  const drawn = drawExpression(first, new Fields(first), geneModel(SYNTH_SEED));
  assert.deepEqual([...await counts(`${out}/st/SYN0.h5ad`)], [...drawn.counts]);

  const table = await H5ad.open(disk.open(`${out}/st/SYN0.h5ad`, "read"));
  assert.equal(table.obs.index[0], "ATGAACTATGGCGAGC-1");
  assert.deepEqual([...table.spatial()], [...spatialOf(first)]);
  const spots = table.obs.index;
  table.close();

  const patches = await openPatches(disk.open(`${out}/patches/SYN0.h5`, "read"));
  assert.deepEqual([patches.generation, patches.count, patches.pixelSize, patches.sizeOnSlide], [
    "current",
    9,
    0.5,
    224,
  ]);
  assert.ok(patches.barcodes!.every((name) => spots.includes(name)));
  patches.close();
  const renderer = new Renderer(first, new Fields(first));
  const row = (await patchRows(`${out}/patches/SYN0.h5`)).get(spots[4]!)!;
  assert.deepEqual(row.pixels, renderer.render(row.coords[0]!, row.coords[1]!, 224, 224));
});

Deno.test("metadata, catalogue, splits and outlines are there", async () => {
  const out = await dataset();
  const facts = JSON.parse(Deno.readTextFileSync(`${out}/metadata/SYN1.json`));
  assert.deepEqual(
    [facts.id, facts.patient, facts.pixel_size_um_estimated, facts.fullres_px_width, facts.nb_genes],
    ["SYN1", "DONOR1", 0.5, 1100, GENES],
  );
  const bytes = Deno.readFileSync(`${out}/HEST_v1_1_0.csv`);
  assert.deepEqual([...bytes.slice(0, 3)], [0xef, 0xbb, 0xbf]);
  const catalogue = parseCsv(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes), "catalogue");
  assert.equal(catalogue.length, 3);
  assert.equal(catalogue[0]!.fields[0], "dataset_title");
  assert.equal(
    Deno.readTextFileSync(`${out}/splits/test_0.csv`),
    "sample_id,patches_path,expr_path\nSYN1,patches/SYN1.h5,st/SYN1.h5ad\n",
  );
  const outline = JSON.parse(Deno.readTextFileSync(`${out}/tissue_seg/SYN0_contours.geojson`));
  const ring = outline.features[0].geometry.coordinates[0];
  assert.deepEqual([ring[0], ring.length], [ring[4], 5]);
});

Deno.test("the same options give the same bytes", async () => {
  const out = await dataset();
  const { record } = await make(`${root}/again`, {});
  for (const file of [...record.files, "synth.json"]) {
    assert.deepEqual(Deno.readFileSync(`${root}/again/${file}`), Deno.readFileSync(`${out}/${file}`), file);
  }
});

Deno.test("the pyramid written is the image rendered", async () => {
  const out = await dataset({ profile: "geom", slides: 3, rows: 2, cols: 4 });
  const third = layOut({ seed: SYNTH_SEED, slide: 2, rows: 2, cols: 4, mixedPixelSize: true, slidesPerDonor: 1 });
  const tiff = await openTiff(await openFile(`${out}/wsis/SYN2.tif`));
  assert.deepEqual([tiff.levels[0]!.width, tiff.levels[0]!.height], [third.width, third.height]);
  assert.deepEqual(
    tiff.levels.map(({ width }) => width),
    tiff.levels.map((_, i) => third.width >> i),
  );
  const { data } = decodeTiff(Deno.readFileSync(`${out}/wsis/SYN2.tif`), "SYN2.tif");
  const rendered = new Renderer(third, new Fields(third)).render(0, 0, third.width, third.height);
  assert.equal(data.findIndex((v, i) => v !== rendered[i]), -1);
});

Deno.test("coordinates of the two generations differ as HEST's do", () => {
  for (const number of [0, 1, 2, 3]) {
    const own = slide(number);
    const spatial = spatialOf(own);
    const current = new Map(windows(own, "current", 224, spatial).map((window) => [window.spot, window]));
    const v1 = windows(own, "v1", 224, spatial);
    assert.ok(v1.length > 0 && v1.length < 200 + 1);
    for (const { spot, x, y, side } of v1) {
      const now = current.get(spot)!;
      const centre = [Math.trunc(spatial[2 * spot]!), Math.trunc(spatial[2 * spot + 1]!)];
      assert.equal(now.side, side);
      assert.deepEqual([x + Math.floor(side / 2), y + Math.floor(side / 2)], centre);
      // 0.3639 um: half of 307.77 is floored to 153, half of the rounded 308 is 154.
      const off = number === 2 ? 1 : 0;
      assert.deepEqual([now.x + Math.floor(side / 2) - off, now.y + Math.floor(side / 2) - off], centre);
    }
  }
});

Deno.test("windows that hang over the edge are kept today and dropped in 2024", () => {
  const edge = slide(2, false);
  const spatial = spatialOf(edge);
  assert.equal(windows(edge, "current", 224, spatial).length, 200);
  assert.ok(windows(edge, "v1", 224, spatial).length < 200);
  const first = windows(edge, "current", 224, spatial)[0]!;
  assert.deepEqual([first.x, first.y], [-32, -32]);
  const patch = cutPatch(new Renderer(edge, new Fields(edge)), first, "current", 224);
  assert.deepEqual([...patch.slice(0, 3)], [0, 0, 0]);
});

Deno.test("layouts and orders that must not matter do not", async () => {
  const plain = await dataset();
  const other = await dataset({ traps: ["shuffle-patches", "old-h5ad", "uint16-dense"] });
  const old = await dataset({ traps: ["old-h5ad"] });
  const expected = await counts(`${plain}/st/SYN0.h5ad`);
  assert.deepEqual(await counts(`${other}/st/SYN0.h5ad`), expected);
  assert.deepEqual(await counts(`${old}/st/SYN0.h5ad`), expected);
  const [a, b] = [await patchRows(`${plain}/patches/SYN0.h5`), await patchRows(`${other}/patches/SYN0.h5`)];
  assert.notDeepEqual([...a.keys()], [...b.keys()]);
  for (const [barcode, row] of a) assert.deepEqual(b.get(barcode), row);
});

Deno.test("traps do what they say", async () => {
  const plain = await dataset();
  const many: Trap[] = ["nan-x", "dup-genes", "mixed-barcode-len", "json-nan", "swap-coords"];
  const out = await dataset({ traps: many, misalign: 100 });
  assert.ok((await counts(`${out}/st/SYN0.h5ad`)).some(Number.isNaN));
  const file = await H5ad.open(disk.open(`${out}/st/SYN0.h5ad`, "read"));
  assert.equal(file.var.index[0], file.var.index[1]);
  assert.deepEqual(new Set(file.obs.index.map((name) => name.length)), new Set([18, 19]));
  assert.equal(file.spatial()[0], 300 + 200);
  file.close();
  assert.match(Deno.readTextFileSync(`${out}/metadata/SYN0.json`), /"pixel_size_um_embedded": NaN,/);
  const [swapped] = (await patchRows(`${out}/patches/SYN0.h5`)).values();
  assert.deepEqual(swapped!.coords, [188, 388]);

  const shifted = await dataset({ traps: ["permute-counts", "ensembl"] });
  const [before, after] = [await counts(`${plain}/st/SYN0.h5ad`), await counts(`${shifted}/st/SYN0.h5ad`)];
  const rows = (x: Float32Array) => Array.from({ length: 9 }, (_, i) => x.slice(i * GENES, (i + 1) * GENES).join());
  assert.notDeepEqual(rows(before), rows(after));
  assert.deepEqual(rows(before).sort(), rows(after).sort());
});

Deno.test("profile bench lies as HEST-Benchmark does, in files of 2024", async () => {
  const out = await dataset({ profile: "bench", slides: 4, rows: 3, cols: 8 });
  const patches = await openPatches(disk.open(`${out}/SYN/patches/SYN0.h5`, "read"));
  assert.deepEqual([patches.generation, patches.coordsOf, patches.pixelSize], ["v1", "centre", 0.5]);
  patches.close();
  const lines = Deno.readTextFileSync(`${out}/SYN/splits/test_2.csv`).trim().split("\n");
  assert.deepEqual(lines.slice(1), ["SYN2,patches/SYN2.h5,adata/SYN2.h5ad"]);
  const { genes } = JSON.parse(Deno.readTextFileSync(`${out}/SYN/var_50genes.json`));
  assert.deepEqual([genes.length, genes], [50, genes.toSorted()]);
  assert.throws(() => planSynth({ profile: "bench", slides: 3 }), { name: "ConfigError" });
});
