/**
 * Writes `.h5ad` files with this project, for `spatial.py --read` to open with anndata and scanpy:
 *
 *     deno run -A tests/python/spatial_ours.ts FOLDER
 */

import { disk } from "../../src/io/fs.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { hestH5ad, writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { Entries } from "../../src/io/sparse.ts";

const folder = Deno.args[0] ?? ".";
const [spots, genes] = [40, 60];
const entries = new Entries();
for (let i = 0; i < spots; i++) for (let j = i % 3; j < genes; j += 3) entries.add(i, j, 1 + (i * j) % 7);
const sample = hestH5ad({
  barcodes: Array.from(
    { length: spots },
    (_, i) => `${String(i >> 3).padStart(3, "0")}x${String(i & 7).padStart(3, "0")}`,
  ),
  genes: Array.from({ length: genes }, (_, j) => `GENE${j}`),
  geneIds: Array.from({ length: genes }, (_, j) => `ENSG${String(j).padStart(11, "0")}`),
  counts: entries.matrix("counts", spots, genes),
  arrayRow: Int32Array.from({ length: spots }, (_, i) => i >> 3),
  arrayCol: Int32Array.from({ length: spots }, (_, i) => i & 7),
  spatial: Float64Array.from({ length: 2 * spots }, (_, i) => i % 2 ? (i >> 4) * 200.5 : (i >> 1 & 7) * 200),
  spotDiameter: 110,
  thumbnail: { height: 8, width: 10, rgb: new Uint8Array(240).map((_, i) => i), scale: 0.01 },
});
const note = Array.from({ length: spots }, (_, i) => i % 2 ? "tumour" : "");
const columns = { ...sample.obs.columns, note };
const region = { codes: Int32Array.from({ length: spots }, (_, i) => i % 3 - 1), categories: ["a", "ü"] };
const begin = await H5Writer.prepare();
for (
  const [name, content, layout] of [
    ["csr.h5ad", sample, {}],
    ["dense_gzip.h5ad", { ...sample, obs: { ...sample.obs, columns } }, { dense: true, gzip: 4 }],
    ["category.h5ad", { ...sample, obs: { ...sample.obs, columns: { ...columns, region } } }, { gzip: 4 }],
  ] as const
) {
  disk.writeAnywhere(`${folder}/${name}`, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, content, layout);
    h5.close();
  });
}
