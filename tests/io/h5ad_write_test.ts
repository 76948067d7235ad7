import assert from "node:assert/strict";
import { ConfigError, ShapeError } from "../../src/core/errors.ts";
import { disk } from "../../src/io/fs.ts";
import { MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import type { UnsTree } from "../../src/io/hdf5/h5ad_uns.ts";
import { type H5adLayout, hestH5ad, type NewH5ad, writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { Entries, toDense } from "../../src/io/sparse.ts";

const fixture = (name: string) => new URL(`../fixtures/spatial/${name}`, import.meta.url).pathname;

async function written(content: NewH5ad, layout?: H5adLayout): Promise<H5ad> {
  const sink = new MemoryStorage("made.h5ad");
  const h5 = await H5Writer.create(sink);
  writeH5ad(h5, content, layout);
  h5.close();
  return await H5ad.open(new MemoryStorage("made.h5ad", sink.content()));
}

const whole = (file: H5ad) => [...toDense(file.x.read(0, file.x.rows), file.x.columns)];

Deno.test("writeH5ad() writes what H5ad reads, compressed rows or full, packed or not", async () => {
  using source = await H5ad.open(disk.open(fixture("csc_gzip.h5ad"), "read"));
  const content: NewH5ad = {
    obs: {
      index: source.obs.index,
      columns: {
        array_row: Int32Array.from(source.obs.numbers("array_row")!),
        total: source.obs.numbers("total")!,
        note: ["a", "", "é", "d", "e", "f", "g"],
        region: { codes: Int32Array.of(0, 1, -1, 0, 1, 0, 0), categories: ["x", "ü"], ordered: true },
      },
    },
    var: { index: source.var.index },
    x: source.x,
    layers: { counts: source.x },
    obsm: { spatial: { shape: [7, 2], values: source.spatial() } },
    uns: { title: "one", n: 3, f: 0.5, deep: { list: { shape: [2], values: ["a", "b"] } } },
  };
  for (const layout of [{}, { gzip: 4 }, { dense: true }, { dense: true, gzip: 1 }]) {
    using file = await written(content, layout);
    assert.equal(file.x.layout, layout.dense ? "dense" : "csr");
    assert.deepEqual(whole(file), whole(source));
    assert.deepEqual([file.obs.index, file.var.index], [source.obs.index, source.var.index]);
    assert.deepEqual(file.obs.columns, ["array_row", "total", "note", "region"]);
    assert.deepEqual(file.obs.numbers("total"), source.obs.numbers("total"));
    assert.deepEqual(file.obs.strings("note"), ["a", "", "é", "d", "e", "f", "g"]);
    assert.deepEqual(file.obs.strings("region"), ["x", "ü", undefined, "x", "ü", "x", "x"]);
    assert.deepEqual(file.var.columns, []);
    assert.deepEqual(file.spatial(), source.spatial());
    const uns = file.uns();
    assert.deepEqual([uns["title"], uns["n"], uns["f"]], ["one", 3, 0.5]);
    assert.deepEqual(file.layers, ["counts"]);
  }
});

Deno.test("writeH5ad() writes a sample as HEST keeps it, and one without any counts", async () => {
  const entries = new Entries();
  entries.add(1, 2, 5);
  entries.add(1, 0, 3);
  entries.add(1, 2, 1);
  for (const counts of [entries.matrix("m", 2, 3), new Entries().matrix("none", 2, 3)]) {
    using file = await written(hestH5ad({
      barcodes: ["000x001", "000x002"],
      genes: ["A", "B", "C"],
      geneIds: ["1", "2", "3"],
      counts,
      arrayRow: Int32Array.of(0, 0),
      arrayCol: Int32Array.of(1, 2),
      spatial: Float64Array.of(10, 20, 30, 20.5),
      spotDiameter: 110,
      thumbnail: { height: 2, width: 1, rgb: Uint8Array.of(1, 2, 3, 4, 5, 6), scale: 0.25 },
    }));
    assert.deepEqual(whole(file), counts.stored === 0 ? [0, 0, 0, 0, 0, 0] : [0, 0, 0, 3, 0, 6]);
    const wanted = ["in_tissue", "array_row", "array_col", "pxl_col_in_fullres", "pxl_row_in_fullres"];
    assert.deepEqual(file.obs.columns, wanted);
    assert.deepEqual([...file.obs.numbers("pxl_row_in_fullres")!], [20, 20.5]);
    const st = (file.uns()["spatial"] as UnsTree)["ST"] as UnsTree;
    assert.equal((st["scalefactors"] as UnsTree)["spot_diameter_fullres"], 110);
  }
});

Deno.test("writeH5ad() refuses parts that disagree and names HDF5 cannot have", async () => {
  const x = new Entries().matrix("x", 2, 1);
  const good: NewH5ad = { obs: { index: ["a", "b"] }, var: { index: ["g"] }, x };
  const cases: [Partial<NewH5ad>, typeof ShapeError | typeof ConfigError, RegExp][] = [
    [{ obs: { index: ["a"] } }, ShapeError, /made\.h5ad:\/X: 2 rows, 1 are wanted/],
    [{ var: { index: ["g", "h"] } }, ShapeError, /\/X: 1 columns, 2 are wanted/],
    [{ obs: { index: ["a", "b"], columns: { c: ["x"] } } }, ShapeError, /\/obs\/c: 1 rows, 2 are wanted/],
    [{ obsm: { p: { shape: [1, 2], values: new Float64Array(2) } } }, ShapeError, /\/obsm\/p: 1 rows, 2/],
    [{ uns: { "a/b": 1 } }, ConfigError, /"a\/b": a name without "\/" is wanted/],
  ];
  for (const [change, kind, pattern] of cases) {
    await assert.rejects(written({ ...good, ...change }), (e: Error) => e instanceof kind && pattern.test(e.message));
  }
});
