/** Predictions as h5ad, read back. */

import assert from "node:assert/strict";
import { type Prediction, predictionH5ad } from "../../src/eval/prediction.ts";
import { MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { toDense } from "../../src/io/sparse.ts";

const prediction: Prediction = {
  barcodes: ["AAA-1", "CCC-1", "GGG-1"],
  genes: ["EPCAM", "CD3E"],
  values: Float32Array.from([0, 1.5, 2.25, 0.125, 3, 0]),
  unit: "ln(1 + counts per 10,000)",
  spatial: Float64Array.from([10, 20, 30.5, 40, 50, 60]),
  obs: { array_row: Int32Array.of(4, 5, 6) },
  statistics: { mean: Float64Array.of(1, 2), std: Float64Array.of(0.5, 0) },
  thumbnail: { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6), scale: 0.125 },
  spotDiameter: 220,
  origin: { run: "runs/a", step: 12 },
};

async function written(given: Prediction): Promise<H5ad> {
  const sink = new MemoryStorage("made.h5ad");
  const h5 = await H5Writer.create(sink);
  writeH5ad(h5, predictionH5ad(given));
  h5.close();
  return await H5ad.open(new MemoryStorage("made.h5ad", sink.content()));
}

Deno.test("a prediction reads back as it was", async () => {
  using file = await written(prediction);
  assert.deepEqual(file.obs.index, prediction.barcodes);
  assert.deepEqual(file.var.index, prediction.genes);
  assert.deepEqual([...toDense(file.x.read(0, 3), 2)], [...prediction.values]);
  assert.deepEqual([...file.spatial()], [...prediction.spatial!]);
  assert.deepEqual([...file.obs.numbers("array_row")!], [4, 5, 6]);
  assert.deepEqual([...file.var.numbers("training_mean")!], [1, 2]);
});

Deno.test("a prediction of nothing and one without places can be written; extents must agree", async () => {
  using none = await written({ barcodes: [], genes: ["A", "B"], values: new Float32Array(), unit: "counts" });
  assert.deepEqual([none.obs.index.length, none.var.index.length], [0, 2]);
  const { spatial: _, ...placeless } = prediction;
  using file = await written(placeless);
  assert.deepEqual(file.obsm, []);
  const wrong = { ...prediction, values: new Float32Array(5) };
  assert.throws(() => predictionH5ad(wrong), { name: "ShapeError" });
  assert.throws(() => predictionH5ad({ ...prediction, spatial: new Float64Array(4) }), { name: "ShapeError" });
});
