/**
 * `convert xenium` on bundles of releases 1 to 4, made by `tests/python/xenium.py`, which says what they hold. The H&E image is
 * drawn here.
 */

import assert from "node:assert/strict";
import { disk } from "../../src/io/fs.ts";
import { parseGeoJson } from "../../src/io/geojson.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { openPatches } from "../../src/io/patches.ts";
import { toDense } from "../../src/io/sparse.ts";
import { writeTiff } from "../../src/io/image/tiff_write.ts";
import { FIXTURES, inFolder, seal } from "./shared.ts";

interface Expected {
  cells: string[];
  genes: string[];
  /** `[cells, genes]`. */
  counts: number[];
  /** Centres of the cells on the H&E, `[cells, 2]`. */
  he: number[];
  /** Gene of each transcript that counts, -1 of the others. */
  transcripts: { x: number[]; y: number[]; gene: number[] };
  controls: number;
  low: number;
  nuclei: number;
}

const RELEASES: Record<string, Expected> = JSON.parse(Deno.readTextFileSync(`${FIXTURES}xenium/expected.json`));
const [WIDTH, HEIGHT] = [1200, 1000];

/** A copy of a bundle with an image: purple tissue on grey. */
function bundle(release: string, folder: string, prefix = ""): void {
  Deno.mkdirSync(folder, { recursive: true });
  for (const { name } of Deno.readDirSync(`${FIXTURES}xenium/${release}`)) {
    if (name !== "points.csv") Deno.copyFileSync(`${FIXTURES}xenium/${release}/${name}`, `${folder}/${prefix}${name}`);
  }
  const rows = (top: number, count: number) =>
    Uint8Array.from({ length: count * WIDTH * 3 }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % WIDTH, top + Math.floor(i / 3 / WIDTH)];
      const tissue = x > 60 && x < 1140 && y > 60 && y < 940;
      return tissue ? [150, 80, 160][i % 3]! : 225;
    });
  writeTiff(disk, `${folder}/${prefix}Xenium_he_image.ome.tif`, { width: WIDTH, height: HEIGHT, pixelSize: 0.5, rows });
}

async function table(path: string) {
  const file = await H5ad.open(disk.open(path, "read"));
  try {
    const counts = toDense(file.x.read(0, file.x.rows), file.x.columns);
    return { names: file.obs.index, genes: file.var.index, counts: [...counts], spatial: [...file.spatial()] };
  } finally {
    file.close();
  }
}

/** Transcripts pooled as the definition says, by square. */
function pooled({ transcripts: { x, y, gene }, genes }: Expected, side: number): Map<string, number[]> {
  const [left, top] = [Math.min(...x), Math.min(...y)];
  const squares = new Map<string, number[]>();
  gene.forEach((g, i) => {
    if (g < 0) return;
    const [row, column] = [Math.floor((y[i]! - top) / side), Math.floor((x[i]! - left) / side)];
    const key = `${String(row).padStart(3, "0")}x${String(column).padStart(3, "0")}`;
    const sums = squares.get(key) ?? new Array<number>(genes.length).fill(0);
    sums[g]!++;
    squares.set(key, sums);
  });
  return new Map([...squares].sort(([a], [b]) => a < b ? -1 : 1));
}

for (const [release, expected] of Object.entries(RELEASES)) {
  Deno.test(`convert xenium reads a bundle of release ${release}: squares, cells, outlines, what did not count`, () =>
    inFolder(async (folder) => {
      bundle(release, `${folder}/in`, release === "2.0" ? "Sample_" : "");
      const out = `${folder}/out`;
      const words = ["convert", "xenium", `${folder}/in`, "--id", "X1", "--out", out, "--json", "--quiet"];
      const { code, out: text, err } = await seal(...words);
      assert.equal(code, 0, err);
      const result = JSON.parse(text);
      const { dropped, cells, outlines, pixelSize, metadata } = result;
      assert.deepEqual([dropped.controls, dropped.lowQuality, dropped.outsideImage], [
        expected.controls,
        expected.low,
        0,
      ]);
      assert.ok(Math.abs(pixelSize - 0.5) < 1e-6);
      assert.deepEqual([cells, outlines], [24, { cell: 24, nucleus: expected.nuclei }]);
      assert.deepEqual([metadata.st_technology, metadata.inter_spot_dist], ["Xenium", 100]);

      const squares = pooled(expected, 100);
      const spots = await table(`${out}/st/X1.h5ad`);
      assert.deepEqual(spots.names, [...squares.keys()]);
      assert.deepEqual(spots.genes, expected.genes);
      assert.deepEqual(spots.counts, [...squares.values()].flat());
      const own = await table(`${out}/cells/X1.h5ad`);
      assert.deepEqual([own.names, own.genes, own.counts], [expected.cells, expected.genes, expected.counts]);
      own.spatial.forEach((value, i) => assert.ok(Math.abs(value - expected.he[i]!) < 1e-4));
      const polygons = parseGeoJson(Deno.readFileSync(`${out}/xenium_seg/X1_xenium_cell_seg.geojson`), "cells");
      for (const [i, { exterior }] of polygons.entries()) {
        const corners = exterior.length / 2 - 1;
        const middle = [0, 1].map((k) => {
          let sum = 0;
          for (let j = 0; j < corners; j++) sum += exterior[2 * j + k]! / corners;
          return sum;
        });
        middle.forEach((value, k) => assert.ok(Math.abs(value - expected.he[2 * i + k]!) < 0.02));
      }
      const patches = await openPatches(disk.open(`${out}/patches/X1.h5`, "read"));
      assert.ok(patches.count > 5 && patches.barcodes!.every((name) => squares.has(name)));
      patches.close();
    }));
}

Deno.test("convert xenium by landmarks says how far each lies off; quality and side as asked", () =>
  inFolder(async (folder) => {
    // Named after the folder, as far as a name may have its letters.
    const source = `${folder}/output-XETG01__Probe ä 3/outs`;
    bundle("3.0", source);
    const points = `${FIXTURES}xenium/3.0/points.csv`;
    const words = ["convert", "xenium", source, "--alignment", points, "--out", `${folder}/out`];
    const { code, out, err } = await seal(...words, "--json", "--min-qv", "0", "--pitch-um", "55");
    assert.equal(code, 0, err);
    const { id, landmarks, pixelSize, residual, dropped, metadata } = JSON.parse(out);
    assert.equal(id, "output-XETG01-Probe-a-3");
    assert.equal(landmarks.length, 5);
    assert.ok(landmarks.every((um: number) => um > 0 && um < 3) && residual > 0 && residual < 3, String(landmarks));
    assert.ok(Math.abs(pixelSize / 0.5 - 1) < 0.01);
    assert.deepEqual([dropped.lowQuality, metadata.inter_spot_dist], [0, 55]);
    assert.match(err, /landmarks off by/);
  }));

Deno.test("convert xenium says what is missing or does not fit, and leaves nothing", () =>
  inFolder(async (folder) => {
    const source = `${folder}/in`;
    bundle("1.9", source);
    const refused = async (expected: RegExp, status: number, ...words: string[]) => {
      const { code, err } = await seal("convert", "xenium", source, "--out", `${folder}/out`, "--id", "X1", ...words);
      assert.match(err, expected);
      assert.equal(code, status, err);
      const left = disk.look(`${folder}/out`);
      assert.equal(
        left === undefined || (left.kind === "folder" && left.names.length === 0),
        true,
        JSON.stringify(left),
      );
    };
    const matrix = `${source}/Xenium_he_imagealignment.csv`;
    const text = Deno.readTextFileSync(matrix);
    Deno.writeTextFileSync(matrix, "1,0,50000\n0,1,50000\n0,0,1\n");
    await refused(/none of \d+ squares lies on the image.*\n.*pixels of the H&E to pixels of the morphology/, 4);
    Deno.writeTextFileSync(matrix, "");
    await refused(/imagealignment\.csv: line 1 has nothing, expected three rows of three numbers/, 4);
    Deno.writeTextFileSync(matrix, "1,0,0\n2,0,0\n0,0,1\n");
    await refused(/folds the image/, 4);
    Deno.writeTextFileSync(matrix, "1,0,0\n0,1,x\n0,0,1\n");
    await refused(/line 2 has "x", expected a number/, 4);
    Deno.removeSync(matrix);
    await refused(/no alignment of the H&E image, one .* wanted[^]*--alignment FILE/, 2);
    Deno.writeTextFileSync(matrix, text);
    const experiment = Deno.readTextFileSync(`${source}/experiment.xenium`);
    Deno.writeTextFileSync(
      `${source}/experiment.xenium`,
      experiment.replace('"pixel_size": 0.2125', '"pixel_size": 0'),
    );
    await refused(/pixel_size: 0, expected µm a pixel/, 4);
    Deno.writeTextFileSync(`${source}/experiment.xenium`, experiment);
    const transcripts = Deno.readFileSync(`${source}/transcripts.parquet`);
    Deno.writeFileSync(`${source}/transcripts.parquet`, transcripts.subarray(0, 9000));
    await refused(/transcripts\.parquet.*truncated/, 4);
    Deno.renameSync(`${source}/transcripts.parquet`, `${source}/transcripts.zarr.zip`);
    await refused(/no transcripts\.parquet[^]*all releases write it/, 4);
  }));
