/**
 * `convert spatialdata`, `convert zarr` and `convert anndata` as users run them, and what `inspect` says of stores and data.
 *
 * @seconds 25
 */

import assert from "node:assert/strict";
import { disk } from "../../src/io/fs.ts";
import { writeTiff } from "../../src/io/image/tiff_write.ts";
import { HEIGHT, WIDTH, writeSpatialSample } from "../data/spatial_sample.ts";
import { inFolder, seal } from "./shared.ts";

async function run(...words: string[]) {
  const { code, out, err } = await seal("convert", ...words, "--json");
  assert.equal(code, 0, err);
  return { json: JSON.parse(out), err };
}

async function refused(expected: RegExp, status: number, out: string, ...words: string[]): Promise<void> {
  const before = disk.look(out);
  const { code, err } = await seal("convert", ...words);
  assert.match(err, expected);
  assert.equal(code, status, err);
  assert.deepEqual(disk.look(out), before, "nothing is written");
}

Deno.test("a sample goes into SpatialData and comes back by the commands; the same again is there, damage is status 4", () =>
  inFolder(async (folder) => {
    const [data, stores, back] = [`${folder}/data`, `${folder}/stores`, `${folder}/back`];
    await writeSpatialSample(data);
    const made = await run("spatialdata", data, "--out", stores);
    assert.deepEqual(made.json, { out: stores, stores: [{ id: "S1", spots: 4, genes: 3, levels: 4, outlines: 1 }] });
    assert.match(made.err, /S1: 4 spots, 3 genes, 4 levels of the image[^]*stores: 1 store/);
    const store = `${stores}/S1.zarr`;
    const inside = await seal("inspect", store);
    assert.match(inside.out, /^format +SpatialData, zarr 2$/m);
    assert.match(inside.out, /^images\/image +1300 x 1100 pixels, 4 levels$/m);
    assert.match(inside.out, /^tables\/table +4 spots x 3 genes, of spots$/m);

    const words = ["zarr", store, "--out", back, "--px", "64"];
    const { json, err } = await run(...words);
    assert.deepEqual([json.id, json.spots, json.genes, json.pixelSize], ["S1", 4, 3, 0.5]);
    assert.match(err, /left out: 1 of layers \(twice\)/);
    assert.match((await run(...words)).err, /S1: is there/);
    const { out } = await seal("inspect", back);
    assert.match(out, /^samples +1/m);
    assert.match(out, /^S1 +Visium +4 +3 +4 of 64 px +0\.5 +slide, tissue$/m);

    await refused(/--px 64, now/, 2, back, "zarr", store, "--out", back, "--px", "96");
    await refused(/wanted STORE\.zarr/, 2, `${folder}/none`, "zarr", "--out", `${folder}/none`);
    await refused(
      /none\.zarr.*expected a store of SpatialData/,
      4,
      `${folder}/none`,
      "zarr",
      `${folder}/none.zarr`,
      "--out",
      `${folder}/none`,
    );
    await refused(
      /has 1 sample, not this one/,
      2,
      `${folder}/none`,
      "spatialdata",
      data,
      "--out",
      `${folder}/none`,
      "--sample",
      "S2",
    );
    await refused(/which is the input/, 2, `${data}/x`, "spatialdata", data, "--out", `${data}/x`);
    await refused(
      /Cannot use --px with convert spatialdata/,
      2,
      `${folder}/none`,
      "spatialdata",
      data,
      "--out",
      `${folder}/none`,
      "--px",
      "64",
    );
    const shapes = `${store}/shapes/spots/shapes.parquet`;
    Deno.writeFileSync(shapes, Deno.readFileSync(shapes).subarray(0, 60));
    await refused(/shapes\.parquet.*truncated/, 4, `${folder}/none/st`, "zarr", store, "--out", `${folder}/none`);
    const damaged = await seal("inspect", store);
    assert.deepEqual(
      [damaged.code, /^shapes\/spots +Cannot read .*truncated/m.test(damaged.out)],
      [3, true],
      damaged.out,
    );
    Deno.removeSync(`${data}/metadata/S1.json`);
    await refused(
      /has no metadata\/S1\.json/,
      4,
      `${folder}/none/S1.zarr`,
      "spatialdata",
      data,
      "--out",
      `${folder}/none`,
    );
  }));

Deno.test("a table goes into zarr and back, is data at st/ID.zarr, and with its slide a sample", () =>
  inFolder(async (folder) => {
    const data = `${folder}/data`;
    await writeSpatialSample(data);
    const [file, store] = [`${data}/st/S1.h5ad`, `${data}/st/S1.zarr`];
    const { json } = await run("anndata", file, store);
    assert.deepEqual([json.spots, json.genes, json.leftOut], [4, 3, []]);
    await run("anndata", store, `${folder}/again.h5ad`);
    await refused(/S1\.zarr: it exists/, 2, store, "anndata", file, store);
    await refused(/again\.h5ad: it exists/, 2, `${folder}/again.h5ad`, "anndata", store, `${folder}/again.h5ad`);
    await refused(/wanted IN\.h5ad OUT\.zarr/, 2, `${folder}/o.h5ad`, "anndata", file, `${folder}/o.h5ad`);
    await refused(/no such file/, 4, `${folder}/o.zarr`, "anndata", `${folder}/no.h5ad`, `${folder}/o.zarr`);
    const inside = await seal("inspect", store);
    assert.match(inside.out, /^format +table of anndata, zarr 2$/m);
    assert.match(inside.out, /^elements +4 spots x 3 genes$/m);
    assert.match(inside.out, /^obs +in_tissue, array_row/m);

    await refused(
      /images are none, one wanted[^]*Pass --image SLIDE/,
      4,
      `${folder}/out`,
      "zarr",
      store,
      "--out",
      `${folder}/out`,
    );
    // Without outlines tissue is told by colour.
    const rows = (top: number, count: number) =>
      Uint8Array.from({ length: count * WIDTH * 3 }, (_, i) => {
        const [x, y] = [Math.floor(i / 3) % WIDTH, top + Math.floor(i / 3 / WIDTH)];
        return x > 60 && x < WIDTH - 60 && y > 60 && y < HEIGHT - 60 ? [150, 80, 160][i % 3]! : 225;
      });
    const slide = `${folder}/slide.tif`;
    writeTiff(disk, slide, { width: WIDTH, height: HEIGHT, pixelSize: 0.5, rows });
    const words = ["zarr", store, "--image", slide, "--slide-mpp", "0.5", "--px", "64", "--out", `${folder}/out`];
    const sample = await run(...words);
    assert.deepEqual([sample.json.spots, sample.json.pixelSize], [4, 0.5]);
    assert.match(sample.err, /left out: 1 of layers \(twice\), 1 of uns \(spatial\)/);

    Deno.removeSync(file);
    const listed = await seal("inspect", data, "--json");
    const [row] = JSON.parse(listed.out).list;
    assert.deepEqual([row.id, row.spots, row.genes, row.patches, row.parts], ["S1", 4, 3, null, ["slide", "tissue"]]);
    const cut = await seal("convert", "patches", data, "--out", `${folder}/cut`, "--px", "64");
    assert.equal(cut.code, 0, cut.err);
    assert.equal(disk.look(`${folder}/cut/st/S1.h5ad`)?.kind, "file");
    Deno.removeSync(`${store}/obs/_index/0`);
    Deno.writeTextFileSync(`${store}/obs/_index/.zarray`, "{");
    const { code, out } = await seal("inspect", data);
    assert.deepEqual([code, /S1 .*st\/S1\.zarr:.*\.zarray as Zarr/.test(out)], [3, true], out);
  }));

Deno.test("inspect says of a configuration which keys it gives, and refuses one that training would, by its line", () =>
  inFolder(async (folder) => {
    const recipe = new URL("../../data/configs/her2st.yaml", import.meta.url).pathname;
    const { json } = { json: JSON.parse((await seal("inspect", recipe, "--json")).out) };
    assert.deepEqual([json.kind, json.method, json.given["lora.r"], json.given["split.holdout_samples"]], [
      "recipe",
      "seal",
      64,
      ["C5"],
    ]);
    const { out } = await seal("inspect", recipe);
    assert.match(out, /^loss\.gene_loss +pcc_genes$/m);
    assert.match(out, /^next +deno task train --config .*her2st\.yaml --out RUN$/m);
    Deno.writeTextFileSync(`${folder}/a.yaml`, "lora:\n  r: lots\n");
    const bad = await seal("inspect", `${folder}/a.yaml`);
    assert.deepEqual([bad.code, /a\.yaml:2: Cannot use r/.test(bad.err)], [2, true], bad.err);
    Deno.mkdirSync(`${folder}/odd/st`, { recursive: true });
    const none = await seal("inspect", `${folder}/odd`);
    assert.deepEqual([none.code, /it has st, st\/\*\.h5ad or st\/\*\.zarr wanted/.test(none.err)], [4, true], none.err);
  }));
