import assert from "node:assert/strict";
import { DataError } from "../../src/core/errors.ts";
import { toDense } from "../../src/data/matrix.ts";
import { readSampleTable } from "../../src/data/sample.ts";
import { disk } from "../../src/io/fs.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { parseMetadata } from "../../src/io/metadata.ts";
import { type Matrix, matrixOf } from "../../src/io/sparse.ts";
import expected from "../fixtures/spatial/expected.json" with { type: "json" };

const open = (name: string) => {
  return H5ad.open(disk.open(new URL(`../fixtures/spatial/${name}`, import.meta.url).pathname, "read"));
};

Deno.test("readSampleTable() refuses what is no count and says where in the file there are counts", async () => {
  const index = (names: string[]) => ({ index: names, columns: {} });
  const of = (values: number[]) =>
    matrixOf("M", 2, {
      indptr: Uint32Array.of(0, 2, 4),
      indices: Uint32Array.of(0, 1, 0, 1),
      values: Float32Array.from(values),
    });
  const layers = { logs: of([0.5, 1, 1, 1]), counts: of([1, 2, 3, 4]), noise: of([0, 0, 0, 0]) };
  const made = async (x: number[], more: Record<string, Matrix> = {}) => {
    const sink = new MemoryStorage("S.h5ad");
    const h5 = await H5Writer.create(sink);
    writeH5ad(h5, { obs: index(["s", "t"]), var: index(["g", "h"]), x: of(x), layers: more });
    h5.close();
    return await H5ad.open(sink);
  };
  {
    using file = await made([0.5, 1, 2, 3], layers);
    assert.throws(() => readSampleTable("S", file), {
      name: "DataError",
      code: "counts",
      message:
        /Cannot use S as raw counts: 0\.5 in spot s, gene g, and 25\.0 % of .* are fractions, whole numbers wanted in S\.h5ad:\/X/,
      hint:
        "Whole numbers are in layers/counts: counts=layers/counts of train, --counts layers/counts of evaluate, retrieve and convert scores, " +
        "takes them",
    });
    assert.throws(() => readSampleTable("S", file, undefined, { counts: "logs" }), /0\.5 in spot s.*layers\/logs/);
    assert.throws(() => readSampleTable("S", file, undefined, { counts: "none" }), {
      hint: /^Whole numbers are in layers/,
    });
    for (const counts of ["counts", "layers/counts"]) {
      const table = readSampleTable("S", file, undefined, { counts });
      assert.deepEqual([...toDense(table.counts.matrix).data], [1, 2, 3, 4]);
    }
    assert.deepEqual(file.places, ["X", "layers/counts", "layers/logs", "layers/noise"]);
  }
  using bad = await made([1, -2, 3, 4], { logs: layers.logs });
  assert.throws(() => readSampleTable("S", bad), {
    message: /-2 in spot s, gene h/,
    hint: "drop_bad_spots=true of train, --drop-bad-spots of evaluate and retrieve, leaves such spots out",
  });
  const kept = readSampleTable("S", bad, undefined, { dropBadSpots: true });
  assert.deepEqual([[...kept.bad], kept.counts.spots.length], [[0], 2]);
  using fractions = await made([1, 2.5, 3, 4]);
  assert.throws(() => readSampleTable("S", fractions), { hint: /^The file has no other numbers/ });
});

Deno.test("readSampleTable() refuses true and false, and counts whose genes have no names, and warns of full bytes", async () => {
  using file = await open("presence.h5ad");
  for (const counts of ["X", "layers/dense"]) {
    assert.throws(() => readSampleTable("S", file, undefined, { counts }), {
      name: "DataError",
      code: "counts",
      message: new RegExp(
        "^Cannot use the counts of S: true and false, which say whether a gene is there, how often wanted in .*:/" +
          counts,
      ),
      hint: /^Whole numbers are in layers\/bytes: counts=layers\/bytes of train/,
    });
  }
  assert.throws(() => readSampleTable("S", file, undefined, { counts: "obsm/counts" }), {
    message: /^Cannot read counts of S: obsm\/counts of .*presence\.h5ad does not name its genes, counts wanted/,
    hint: /adata\.layers\["counts"\] = adata\.obsm\["counts"\] and counts=layers\/counts of train/,
  });
  assert.deepEqual(readSampleTable("S", file, undefined, { counts: "bytes" }).warnings, [
    "S: a count of 255, the most its u1 holds; larger ones were cut or have wrapped",
  ]);
});

Deno.test("readSampleTable() gives counts, places and donor, whatever the layout", async () => {
  const text = '{"id": "S1", "st_technology": "Visium", "patient": " P1 ", "dataset_title": "Colon"}';
  const metadata = parseMetadata(new TextEncoder().encode(text), "S1.json");
  for (const name of ["csr", "csc_gzip", "dense_u2", "anndata06"]) {
    using file = await open(`${name}.h5ad`);
    const { counts, array, spatial, info } = readSampleTable("S1", file, metadata);
    const width = counts.genes.length;
    assert.deepEqual([...toDense(counts.matrix).data], expected.x.flatMap((row) => row.slice(0, width)));
    assert.deepEqual([counts.spots, counts.genes], [expected.barcodes, expected.genes.slice(0, width)]);
    assert.deepEqual([array.technology, ...Array.from(array.columns)], ["Visium", 0, 2, 4, 0, 2, 4, 0]);
    assert.deepEqual(spatial?.of, "centre");
    assert.deepEqual(info, { id: "S1", dataset: "Colon", patient: "P1" });
    assert.throws(() => readSampleTable("S1", file, metadata, { counts: "nothing" }), DataError);
  }
});
