/** Stores of SpatialData read into HEST's layout: what `convert spatialdata` wrote of it is the sample again, to the bit. */

import assert from "node:assert/strict";
import { DataError, FormatError, LimitError } from "../../src/core/errors.ts";
import { SILENT } from "../../src/core/reporter.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import { randomAccess } from "../../src/io/disk.ts";
import { disk } from "../../src/io/fs.ts";
import { parseGeoJson } from "../../src/io/geojson.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { blocks } from "../../src/io/sparse.ts";
import { ZarrFolder } from "../../src/io/zarr/zarr.ts";
import { ZarrBoxes } from "../../src/io/zarr/zarr_box.ts";
import { mapOf, openStoreSlide, readShapes } from "../../src/data/convert/spatialdata_parts.ts";
import { convertToSpatialData } from "../../src/run/convert_spatialdata.ts";
import { convertZarr } from "../../src/run/convert_zarr.ts";
import { OUTLINE, pixel, writeSpatialSample } from "./spatial_sample.ts";

const FIXTURES = new URL("../fixtures/spatialdata/", import.meta.url).pathname;

const section = {
  rule: "current" as const,
  patch: { size: 64, pixelSize: 0.5 },
  wsi: "deflate" as const,
  overwrite: false,
  settings: {},
};

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await writeSpatialSample(`${folder}/data`);
    await convertToSpatialData(
      { data: `${folder}/data`, samples: [], out: `${folder}/stores`, overwrite: false, settings: {} },
      SILENT,
    );
    await act(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function tableOf(path: string) {
  const file = await H5ad.open(disk.open(path, "read"));
  try {
    const columns = (frame: typeof file.obs) =>
      Object.fromEntries([...frame.columns].sort().map((name) => [name, frame.column(name)]));
    return {
      x: [...blocks(file.x)].map(({ indptr, indices, values }) => [[...indptr], [...indices], [...values]]),
      obs: [file.obs.index, columns(file.obs)],
      var: [file.var.index, columns(file.var)],
      spatial: file.spatial(),
    };
  } finally {
    file.close();
  }
}

Deno.test("image, shapes and table of a sample are the same behind a store of SpatialData", async () => {
  await inFolder(async (folder) => {
    const [data, out] = [`${folder}/data`, `${folder}/out`];
    const request = { store: `${folder}/stores/S1.zarr`, id: undefined, pixelSize: undefined };
    const { spots, pixelSize, warnings } = await convertZarr(request, { ...section, out }, SILENT);
    assert.deepEqual([spots, pixelSize], [4, 0.5]);
    assert.match(warnings.join("\n"), /^S1: left out: 1 of layers \(twice\)$/m);
    assert.deepEqual(await tableOf(`${out}/st/S1.h5ad`), await tableOf(`${data}/st/S1.h5ad`));
    const slides = [];
    for (const root of [data, out]) {
      slides.push(await openSlide(randomAccess(disk.open(`${root}/wsis/S1.tif`, "read"))));
    }
    const [before, after] = slides as [typeof slides[0], typeof slides[0]];
    assert.deepEqual(after!.levels, before!.levels);
    for (const [level, { width, height }] of before!.levels.entries()) {
      const both = [await before!.read(level, 0, 0, width, height), await after!.read(level, 0, 0, width, height)];
      assert.ok(both[0]!.data.every((value, i) => value === both[1]!.data[i]), `level ${level}`);
    }
    for (const slide of slides) slide.close();
    const path = `${out}/tissue_seg/S1_contours.geojson`;
    const outlines = parseGeoJson(Deno.readFileSync(path), path).map(({ exterior, holes }) => [exterior, holes]);
    assert.deepEqual(outlines, [[OUTLINE.exterior, OUTLINE.holes]]);
    const metadata = JSON.parse(Deno.readTextFileSync(`${out}/metadata/S1.json`));
    assert.deepEqual([metadata.st_technology, metadata.spot_diameter, metadata.inter_spot_dist], ["Visium", 55, 100]);
  });
});

for (const version of [2, 3]) {
  Deno.test(`a store that spatialdata wrote as zarr ${version} is read: image, circles moved and enlarged, table`, async () => {
    const store = new ZarrFolder(disk, `${FIXTURES}v${version}.zarr`);
    const { slide, map } = await openStoreSlide(store, "images/he");
    assert.deepEqual(slide.levels.map(({ width, height }) => [width, height]), [[40, 30], [20, 15]]);
    // Beyond its edges it is black.
    const { data } = await slide.read(0, -1, -1, 3, 3);
    assert.deepEqual([...data.subarray(0, 12)], Array(12).fill(0));
    assert.deepEqual([...data.subarray(12, 18)], [...pixel(0, 0), ...pixel(1, 0)]);
    assert.deepEqual(map, [2, 0, 5, 0, 2, 7]);
    const shapes = await readShapes(store, "shapes/spots");
    assert.deepEqual(shapes.map(({ index, centre, radius }) => [index, centre, radius]), [
      ["11", [10, 20], 3],
      ["12", [30.5, 8], 3],
    ]);
    const codes = await ZarrBoxes.open(store, "tables/table/obs/kind/codes");
    assert.deepEqual([codes.dtype, [...await codes.read() as Int8Array]], ["int8", [1, -1]]);
    const names = await ZarrBoxes.open(store, "tables/table/obs/_index");
    assert.deepEqual(await names.read(), ["AAAC-1", "ß-1"]);
    assert.deepEqual(await (await ZarrBoxes.open(store, "tables/table/X/data")).read([[1, 3]]), Float32Array.of(3, 2));
    const flags = await ZarrBoxes.open(store, "tables/table/obs/flag");
    assert.deepEqual(await flags.read(), Uint8Array.of(1, 0));
  });
}

Deno.test("steps to shared coordinates: affine by the names of axes, and one behind the other; others are refused", () => {
  const store = new ZarrFolder(disk, `${FIXTURES}v2.zarr`);
  const axes = (names: string) => ({ axes: [...names].map((name) => ({ name })) });
  const affine = {
    type: "affine",
    input: axes("cyx"),
    output: axes("cyx"),
    affine: [[1, 0, 0, 0], [0, 2, 3, 4], [0, 5, 6, 7]],
  };
  assert.deepEqual(mapOf(store, "p", ["c", "y", "x"], [affine]), [6, 5, 7, 3, 2, 4]);
  const steps = [{ type: "scale", scale: [1, 3, 2] }, { type: "translation", translation: [0, 10, 20] }];
  const sequence = { type: "sequence", input: axes("cyx"), transformations: steps, output: { name: "global" } };
  assert.deepEqual(mapOf(store, "p", [], [{ type: "identity", output: { name: "other" } }, sequence]), [
    2,
    0,
    20,
    0,
    3,
    10,
  ]);
  assert.deepEqual(mapOf(store, "p", ["x", "y"], undefined), [1, 0, 0, 0, 1, 0]);
  for (const bad of [{ type: "rotation" }, { type: "scale", scale: [1, "2", 3] }, { type: "affine" }]) {
    assert.throws(() => mapOf(store, "p", ["c", "y", "x"], [bad]), FormatError);
  }
});

Deno.test("what is no store, has several tables, or is damaged is told, and nothing is written", async () => {
  await inFolder(async (folder) => {
    const store = `${folder}/stores/S1.zarr`;
    const out = `${folder}/out`;
    const convert = (path: string) =>
      convertZarr({ store: path, id: "S1", pixelSize: 0.5 }, { ...section, out }, SILENT);
    const refused = (wanted: RegExp, kind: typeof DataError | typeof FormatError | typeof LimitError) =>
      assert.rejects(convert(store), (e: unknown) => e instanceof kind && wanted.test(e.message));
    await assert.rejects(convert(`${folder}/none.zarr`), /expected a store of SpatialData/);
    Deno.mkdirSync(`${store}/tables/second`);
    Deno.writeTextFileSync(`${store}/tables/second/.zgroup`, '{"zarr_format":2}');
    await refused(/tables are second, table, one wanted/, DataError);
    Deno.removeSync(`${store}/tables/second`, { recursive: true });
    const chunk = `${store}/tables/table/X/indices/0`;
    const before = Deno.readFileSync(chunk);
    Deno.writeFileSync(chunk, before.subarray(0, 5));
    await refused(/S1\.zarr:tables\/table\/X\/indices as Zarr: it (?:cannot be unpacked|has)/, FormatError);
    Deno.writeFileSync(chunk, before);
    const array = `${store}/tables/table/X/data/.zarray`;
    Deno.writeTextFileSync(array, Deno.readTextFileSync(array).replace(/"chunks": \[\s*5/, '"chunks": [999999999'));
    await refused(/chunks of 3999999996 bytes, at most/, LimitError);
    assert.equal(disk.look(`${out}/metadata`), undefined);
  });
});
