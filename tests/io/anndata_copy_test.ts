/** Tables of anndata between HDF5 and zarr: the same behind both ways, by what anndata wrote (`tests/python/spatialdata_open.py`) and by hand. */

import assert from "node:assert/strict";
import { ConfigError, FormatError } from "../../src/core/errors.ts";
import { SILENT } from "../../src/core/reporter.ts";
import { findSamples } from "../../src/data/data_folder.ts";
import { loadSample } from "../../src/data/load_sample.ts";
import { readSampleCounts } from "../../src/eval/bench/bench_sample.ts";
import { openAnndata } from "../../src/io/anndata.ts";
import { disk, makeFolder } from "../../src/io/fs.ts";
import { H5File } from "../../src/io/hdf5/h5.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import type { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { blocks, type Matrix, matrixOf } from "../../src/io/sparse.ts";
import { openStoreTable } from "../../src/io/zarr/anndata_copy.ts";
import { ZarrFolder } from "../../src/io/zarr/zarr.ts";
import { ZarrWriter } from "../../src/io/zarr/zarr_write.ts";
import { convertAnndata } from "../../src/run/convert_anndata.ts";
import { DataMark } from "../../src/run/data_mark.ts";
import { writeSmallSample } from "../data/pair_folder.ts";
import { writeSpatialSample } from "../data/spatial_sample.ts";

const FIXTURES = new URL("../fixtures/spatialdata/", import.meta.url).pathname;

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await act(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const entries = (matrix: Matrix) =>
  [...blocks(matrix)].map(({ indptr, indices, values }) => [[...indptr], [...indices], [...values]]);

function content(table: H5ad) {
  const columns = (frame: H5ad["obs"]) => [frame.index, frame.columns.map((name) => [name, frame.column(name)])];
  const uns = JSON.stringify(table.uns(), (_, value) => typeof value?.read === "function" ? [...value.read()] : value);
  return {
    x: entries(table.x),
    layers: table.layers.map((name) => [name, entries(table.layer(name)!)]),
    obs: columns(table.obs),
    var: columns(table.var),
    obsm: table.obsm.map((name) => [name, table.points(name)]),
    uns,
  };
}

const copy = (input: string, output: string, overwrite = false) => convertAnndata({ input, output, overwrite }, SILENT);

Deno.test("a table goes into zarr and back: matrices, columns, categories, places, uns", () =>
  inFolder(async (folder) => {
    await writeSpatialSample(`${folder}/data`);
    const [file, store, again] = [`${folder}/data/st/S1.h5ad`, `${folder}/S1.zarr`, `${folder}/S1.h5ad`];
    const written = await copy(file, store);
    assert.deepEqual(written, { out: store, spots: 4, genes: 3, flags: [], missing: [], leftOut: [] });
    await copy(store, again);
    const tables = [await openAnndata(disk, file), await openAnndata(disk, store), await openAnndata(disk, again)];
    const [before, inZarr, after] = tables.map(content);
    assert.deepEqual(after, before);
    // In memory there are all parts but those of uns that nobody computes with; names of files differ.
    assert.deepEqual({ ...inZarr, uns: "" }, { ...before, uns: "" });
    assert.match(before!.uns, /tissue_downscaled_fullres_scalef/);
    assert.equal(before!.layers.length, 1);
    for (const table of tables) table.close();
    const listed = JSON.parse(Deno.readTextFileSync(`${store}/.zmetadata`)).metadata;
    assert.deepEqual(listed["X/indptr/.zarray"].dtype, "<i4");
    assert.equal(listed["obs/kind/.zattrs"].ordered, false);
  }));

Deno.test("arrays of more than a band of rows are copied whole both ways", () =>
  inFolder(async (folder) => {
    const [rows, columns] = [4_500, 1_000];
    const values = Float32Array.from({ length: rows * columns }, (_, i) => i % 251 + 1);
    const indptr = Uint32Array.from({ length: rows + 1 }, (_, i) => i * columns);
    const x = matrixOf("X", columns, { indptr, indices: Uint32Array.from(values, (_, i) => i % columns), values });
    const begin = await H5Writer.prepare();
    const names = (count: number) => Array.from({ length: count }, (_, i) => i.toString(36));
    disk.writeAnywhere(`${folder}/a.h5ad`, (file) => {
      const h5 = begin(file);
      const wide = { shape: [rows, 1_000], values: Float32Array.from(values, (_, i) => i) };
      writeH5ad(h5, { obs: { index: names(rows) }, var: { index: names(columns) }, x, obsm: { wide } });
      h5.close();
    });
    await copy(`${folder}/a.h5ad`, `${folder}/a.zarr`);
    await copy(`${folder}/a.zarr`, `${folder}/b.h5ad`);
    for (const path of ["/X/data", "/X/indices", "/X/indptr", "/obsm/wide"]) {
      const both: ReturnType<H5File["read"]>[] = [];
      for (const name of ["a", "b"]) {
        using file = await H5File.open(disk.open(`${folder}/${name}.h5ad`, "read"));
        both.push(file.read(path));
      }
      assert.ok(both[0]!.length === both[1]!.length && both[0]!.every((value, i) => value === both[1]![i]), path);
    }
    assert.ok(
      disk.look(`${folder}/a.zarr/X/data/4`) !== undefined && disk.look(`${folder}/a.zarr/X/data/5`) === undefined,
    );
  }));

Deno.test("flags become 0 and 1, missing values NaN or no category, and each is told", () =>
  inFolder(async (folder) => {
    const store = `${folder}/n.zarr`;
    const zarr = new ZarrWriter(store, (path, bytes) => {
      makeFolder(`${store}/${path}`.replace(/\/[^/]*$/, ""));
      disk.write(`${store}/${path}`, bytes);
    });
    const begin = (path: string, type: string, version: string) => {
      if (path !== "") zarr.group(path);
      zarr.attribute(path, "encoding-type", type);
      zarr.attribute(path, "encoding-version", version);
    };
    begin("", "anndata", "0.1.0");
    for (const [frame, order] of [["obs", ["count", "word", "seen"]], ["var", []]] as const) {
      begin(frame, "dataframe", "0.2.0");
      zarr.attribute(frame, "_index", "_index");
      zarr.attribute(frame, "column-order", order);
      zarr.strings(`${frame}/_index`, ["a", "b", "c"]);
    }
    begin("obs/count", "nullable-integer", "0.1.0");
    zarr.dataset("obs/count/values", "i8", [3], BigInt64Array.of(5n, 6n, 7n));
    begin("obs/word", "nullable-string-array", "0.1.0");
    zarr.strings("obs/word/values", ["y", "?", "x"]);
    for (const mask of ["obs/count/mask", "obs/word/mask", "obs/seen"]) {
      zarr.array(mask, { dtype: "bool", shape: [3], chunks: [3] });
      zarr.chunk(mask, [0], Uint8Array.of(0, 1, 0));
    }
    zarr.dataset("X", "u2", [3, 3], Uint16Array.of(0, 65535, 0, 1, 0, 0, 0, 0, 9));
    begin("uns", "dict", "0.1.0");
    zarr.array("uns/odd", { dtype: "u1", shape: [1], chunks: [1] });
    zarr.close();
    const odd = `${store}/uns/odd/.zarray`;
    Deno.writeTextFileSync(odd, Deno.readTextFileSync(odd).replace('"|u1"', '"<M8[ns]"'));
    const { flags, missing, leftOut } = await copy(store, `${folder}/n.h5ad`);
    assert.deepEqual([flags, missing.sort(), leftOut], [["obs/seen"], ["obs/count", "obs/word"], ["uns/odd"]]);
    using table = await openAnndata(disk, `${folder}/n.h5ad`);
    assert.deepEqual([...table.obs.numbers("count")!], [5, NaN, 7]);
    assert.deepEqual(table.obs.strings("word"), ["y", undefined, "x"]);
    assert.deepEqual(table.obs.flags("seen"), [false, true, false]);
    assert.deepEqual(entries(table.x), [[[0, 1, 2, 3], [1, 0, 2], [65535, 1, 9]]]);
    using file = await H5File.open(disk.open(`${folder}/n.h5ad`, "read"));
    assert.equal(file.info("/X").dtype, "u2");
  }));

for (const version of [2, 3]) {
  Deno.test(`a table that anndata wrote as zarr ${version} opens as a file does`, async () => {
    const store = new ZarrFolder(disk, `${FIXTURES}v${version}.zarr`);
    using table = await openStoreTable(store, "tables/table");
    assert.deepEqual(table.obs.index, ["AAAC-1", "ß-1"]);
    assert.deepEqual(table.obs.flags("flag"), [true, false]);
    await assert.rejects(
      openStoreTable(store),
      (e: unknown) =>
        e instanceof FormatError && /is a store of SpatialData \(tables\/table\), expected/.test(e.message),
    );
  });
}

Deno.test("a folder with st/ID.zarr is one to train on: pairs as of the file, and a chunk that changes is noticed", () =>
  inFolder(async (folder) => {
    await writeSmallSample(folder, { id: "A1", genes: ["ACTB", "CD3E", "EPCAM"] });
    const whole = findSamples(disk, [folder])[0]!;
    const before = await loadSample(disk, whole);
    const judged = await readSampleCounts(disk, whole, { labels: "array_row" });
    await copy(`${folder}/st/A1.h5ad`, `${folder}/st/A1.zarr`);
    assert.throws(() => findSamples(disk, [folder]), /two samples named A1/);
    Deno.removeSync(`${folder}/st/A1.h5ad`);
    const [files] = findSamples(disk, [folder]);
    const after = await loadSample(disk, files!);
    assert.ok(files!.expression.endsWith("st/A1.zarr"));
    for (const part of ["raw", "expression", "spatial", "barcodes", "selfTest"] as const) {
      assert.deepEqual(after[part], before[part], part);
    }
    // What probes are judged by, and with a column of labels.
    assert.deepEqual(await readSampleCounts(disk, files!, { labels: "array_row" }), judged);
    const set = { fingerprint: "f", samples: [{ files, patches: after.patches }] };
    const mark = await DataMark.of(set as unknown as Parameters<typeof DataMark.of>[0], SILENT);
    await mark.check();
    const chunk = `${folder}/st/A1.zarr/X/data/0`;
    Deno.writeFileSync(chunk, Deno.readFileSync(chunk).reverse());
    await assert.rejects(mark.check(), /A1\.zarr\/X\/data\/0 changed while it was in use/);
  }));

Deno.test("what cannot be copied is refused and leaves nothing", () =>
  inFolder(async (folder) => {
    await writeSmallSample(folder, { id: "A1", genes: ["ACTB"] });
    const file = `${folder}/st/A1.h5ad`;
    const refused = async (
      wanted: RegExp,
      kind: typeof ConfigError | typeof FormatError,
      input: string,
      output: string,
    ) => {
      const there = disk.look(output);
      await assert.rejects(copy(input, output), (e: unknown) =>
        e instanceof kind && wanted.test(e.message), String(wanted));
      assert.deepEqual(disk.look(output), there);
    };
    await refused(/wanted IN\.h5ad OUT\.zarr/, ConfigError, file, `${folder}/other.h5ad`);
    await refused(/wanted IN\.h5ad OUT\.zarr/, ConfigError, file, `${folder}/other.tif`);
    await copy(file, `${folder}/A1.zarr`);
    await refused(/A1\.zarr: it exists/, ConfigError, file, `${folder}/A1.zarr`);
    await refused(/A1\.h5ad: it exists/, ConfigError, `${folder}/A1.zarr`, file);
    await copy(`${folder}/A1.zarr`, file, true);
    const chunk = `${folder}/A1.zarr/X/indices/0`;
    Deno.writeFileSync(chunk, Deno.readFileSync(chunk).subarray(0, 7));
    await refused(/A1\.zarr:X\/indices as Zarr/, FormatError, `${folder}/A1.zarr`, `${folder}/new.h5ad`);
    await refused(
      /has no table, expected a table of anndata/,
      FormatError,
      `${folder}/A1.zarr/X`,
      `${folder}/new.h5ad`,
    );
    Deno.writeFileSync(`${folder}/cut.h5ad`, Deno.readFileSync(file).subarray(0, 900));
    await refused(/cut\.h5ad/, FormatError, `${folder}/cut.h5ad`, `${folder}/cut.zarr`);
  }));
