/** Stores of SpatialData: what is written, byte by byte; `tests/python/spatialdata_open.py` opens it with spatialdata. */

import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import { SILENT } from "../../src/core/reporter.ts";
import { ConfigError, DataError } from "../../src/core/errors.ts";
import { openParquet } from "../../src/io/parquet.ts";
import { openFile } from "../../src/io/fs.ts";
import { polygonsOfWkb } from "../../src/io/wkb.ts";
import { convertToSpatialData } from "../../src/run/convert_spatialdata.ts";
import { HEIGHT, OUTLINE, pixel, WIDTH, writeSpatialSample } from "./spatial_sample.ts";

const request = { samples: [], overwrite: false, settings: {} };

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await writeSpatialSample(`${folder}/data`);
    await act(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const json = (path: string) => JSON.parse(Deno.readTextFileSync(path));
const chunk = (path: string) => new Uint8Array(inflateSync(Deno.readFileSync(path)));

Deno.test("a sample as a store of SpatialData has the slide's pixels, the outlines, the spots and the table", async () => {
  await inFolder(async (folder) => {
    const out = `${folder}/out`;
    const made = await convertToSpatialData({ ...request, data: `${folder}/data`, out }, SILENT);
    assert.deepEqual(made, [{ id: "S1", spots: 4, genes: 3, levels: 4, outlines: 1 }]);
    const store = `${out}/S1.zarr`;
    const image = json(`${store}/images/image/s0/.zarray`);
    assert.deepEqual([image.shape, image.chunks, image.dtype], [[3, HEIGHT, WIDTH], [3, 1024, 1024], "|u1"]);
    // The corner chunk begins at 1024 and goes beyond the slide.
    const corner = chunk(`${store}/images/image/s0/0/1/1`);
    for (let y = 1024; y < HEIGHT; y += 5) {
      for (let x = 1024; x < WIDTH; x++) {
        const at = (y - 1024) * 1024 + x - 1024;
        assert.deepEqual([0, 1, 2].map((c) => corner[c * 1024 * 1024 + at]), pixel(x, y));
      }
    }
    const scales = json(`${store}/images/image/.zattrs`).multiscales[0].datasets;
    assert.deepEqual(scales[1].coordinateTransformations[0].scale, [1, 2, 2]);
    const table = `${store}/tables/table`;
    assert.deepEqual([...new Float32Array(chunk(`${table}/X/data/0`).buffer)], [1, 300, 7, 2, 65536]);
    assert.deepEqual([...new Int32Array(chunk(`${table}/X/indptr/0`).buffer)], [0, 2, 2, 3, 5]);
    assert.equal(new TextDecoder().decode(chunk(`${table}/obs/_index/0`)).slice(-4), "ßß-1");
    assert.equal(json(`${table}/obs/kind/.zattrs`).ordered, false);
    const listed = json(`${store}/.zmetadata`).metadata;
    for (const path of [`tables/table/obs/.zattrs`, `images/image/s3/.zarray`]) {
      assert.deepEqual(listed[path], json(`${store}/${path}`));
    }
  });
});

Deno.test("shapes of a store are GeoParquet: circles at the spots, tissue with its holes", async () => {
  await inFolder(async (folder) => {
    await convertToSpatialData({ ...request, data: `${folder}/data`, out: `${folder}/out` }, SILENT);
    const read = async (name: string, columns: string[]) => {
      const source = await openFile(`${folder}/out/S1.zarr/shapes/${name}/shapes.parquet`);
      const file = await openParquet(source);
      const found = [];
      for await (const { values } of file.read(columns)) found.push(values);
      source.close?.();
      assert.equal(JSON.parse(file.texts.get("geo")!).columns.geometry.encoding, "WKB");
      return found[0]!;
    };
    const spots = await read("spots", ["geometry", "radius"]);
    assert.deepEqual(Array.from(spots["radius"]!), [55, 55, 55, 55]);
    const places = (spots["geometry"] as Uint8Array[]).map((bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      return [view.getUint32(1, true), view.getFloat64(5, true), view.getFloat64(13, true)];
    });
    assert.deepEqual(places, [[1, 200, 300.5], [1, 400, 300.25], [1, 300, 473.2], [1, 500, 473.125]]);
    const tissue = await read("tissue", ["geometry", "tissue_id"]);
    const fail = (found: string) => new Error(found);
    assert.deepEqual(polygonsOfWkb(tissue["geometry"]![0] as Uint8Array, fail), [
      { exterior: OUTLINE.exterior, holes: OUTLINE.holes },
    ]);
  });
});

Deno.test("a store that is there is not written again, one of other data only when asked; metadata are wanted", async () => {
  await inFolder(async (folder) => {
    const [data, out] = [`${folder}/data`, `${folder}/out`];
    const said: string[] = [];
    const reporter = { ...SILENT, say: (text: string) => void said.push(text) };
    for (let i = 0; i < 2; i++) await convertToSpatialData({ ...request, data, out }, reporter);
    assert.deepEqual(said, ["S1: 4 spots, 3 genes, 4 levels of the image", "S1: is there"]);
    const path = `${data}/metadata/S1.json`;
    Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace("Breast", "Skin"));
    await assert.rejects(convertToSpatialData({ ...request, data, out }, SILENT), ConfigError);
    await convertToSpatialData({ ...request, data, out, overwrite: true }, SILENT);
    Deno.removeSync(path);
    await assert.rejects(
      convertToSpatialData({ ...request, data, out: `${folder}/other` }, SILENT),
      (e: unknown) => e instanceof DataError && /has no metadata\/S1\.json/.test(e.message),
    );
  });
});
