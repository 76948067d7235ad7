import assert from "node:assert/strict";
import { DataError } from "../../src/core/errors.ts";
import { toDense } from "../../src/data/matrix.ts";
import { readSampleTable } from "../../src/data/sample.ts";
import { disk } from "../../src/io/fs.ts";
import { H5ad } from "../../src/io/h5ad.ts";
import { parseMetadata } from "../../src/io/metadata.ts";
import expected from "../fixtures/spatial/expected.json" with { type: "json" };

const open = (name: string) => {
  return H5ad.open(disk.open(new URL(`../fixtures/spatial/${name}`, import.meta.url).pathname, "read"));
};

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
