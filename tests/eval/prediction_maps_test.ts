/** Predicted genes drawn over their slide and as squares for QuPath. */

import assert from "node:assert/strict";
import { ConfigError, DataError } from "../../src/core/errors.ts";
import { type Prediction, predictionH5ad } from "../../src/eval/prediction.ts";
import { checkShown, drawPrediction } from "../../src/eval/prediction_maps.ts";
import { disk } from "../../src/io/fs.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { decodeImage } from "../../src/io/image/image.ts";
import { colourOf } from "../../src/core/colour_maps.ts";

const PREDICTION: Prediction = {
  barcodes: ["x0y0", "x1y0", "x0y1"],
  genes: ["A", "B/1"],
  values: Float32Array.of(1, 9, 2, 8, 3, 7),
  unit: "counts",
  spatial: Float64Array.of(50, 50, 150, 50, 50, 150),
  thumbnail: { width: 20, height: 20, data: new Uint8Array(1200).fill(200), scale: 0.1 },
  spotDiameter: 100,
};

async function write(path: string, prediction: Prediction): Promise<void> {
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, predictionH5ad(prediction));
    h5.close();
  });
}

Deno.test("Genes are drawn where their tiles lie, coloured by rank, and are measurements of squares", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await write(`${folder}/S.h5ad`, PREDICTION);
    const written = await drawPrediction(disk, `${folder}/S.h5ad`, ["A", "B/1"]);
    assert.deepEqual(written.map((path) => path.slice(folder.length + 1)), ["S.A.png", "S.B_1.png", "S.geojson"]);
    const blended = (rank: number) => colourOf(rank).map((value) => Math.round(0.6 * 200 + 0.4 * value));
    for (const [file, ranks] of [["S.A.png", [1 / 3, 2 / 3, 1]], ["S.B_1.png", [1, 2 / 3, 1 / 3]]] as const) {
      const { data, width } = decodeImage(Deno.readFileSync(`${folder}/${file}`), file);
      const at = (x: number, y: number) => [...data.subarray((y * width + x) * 3).slice(0, 3)];
      assert.deepEqual([at(5, 5), at(15, 5), at(5, 15)], ranks.map(blended));
      assert.deepEqual(at(15, 15), [200, 200, 200]);
    }
    const { features } = JSON.parse(Deno.readTextFileSync(`${folder}/S.geojson`));
    assert.deepEqual(features[1].geometry.coordinates[0][0], [100, 0]);
    assert.deepEqual(features[1].properties, {
      ...{ objectType: "tile", name: "x1y0" },
      measurements: { "A": 2, "A_percentile": 2 / 3, "B/1": 8, "B/1_percentile": 2 / 3 },
    });
    const { thumbnail: _, ...bare } = PREDICTION;
    await write(`${folder}/T.h5ad`, bare);
    await assert.rejects(drawPrediction(disk, `${folder}/T.h5ad`, ["A"]), (error: DataError) => {
      return error instanceof DataError && /no image of its slide/.test(error.message);
    });
    await assert.rejects(drawPrediction(disk, `${folder}/S.h5ad`, ["C"]), ConfigError);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Below the map stand its colours with their values and the tiles of the highest and lowest, each once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const count = 21;
    await write(`${folder}/S.h5ad`, {
      ...PREDICTION,
      barcodes: Array.from({ length: count }, (_, i) => `x${i}y0`),
      genes: ["A"],
      // The last is the highest, the first the lowest, 3 and 4 are equal.
      values: Float32Array.from({ length: count }, (_, i) => i === 4 ? 3 : i),
      spatial: Float64Array.from({ length: 2 * count }, (_, k) => k % 2 === 0 ? 100 * (k >> 1) + 50 : 50),
      origin: { patch_um: 112, pixel_size_um: 0.5 },
    });
    const asked: number[] = [];
    await drawPrediction(disk, `${folder}/S.h5ad`, ["A"], ({ row, x, y, side }) => {
      assert.deepEqual([x, y, side], [100 * row + 50, 50, 224]);
      asked.push(row);
      return Promise.resolve({ width: 96, height: 96, data: new Uint8Array(96 * 96 * 3).fill(10 * row + 3) });
    });
    assert.deepEqual(asked, [20, 19, 18, 17, 16, 15, 14, 13, 0, 1, 2, 4, 3, 5, 6, 7]);
    const { data, width, height } = decodeImage(Deno.readFileSync(`${folder}/S.A.png`), "S.A.png");
    const grey = (value: number) => {
      for (let i = 0; i < width * height; i++) {
        const own = data.subarray(3 * i, 3 * i + 3);
        if (own.every((channel) => channel === value)) return { x: i % width, y: Math.floor(i / width) };
      }
      return undefined;
    };
    const [best, second, worst] = [grey(203)!, grey(193)!, grey(3)!];
    assert.ok(best.y > 20 && second.y === best.y && second.x > best.x + 95 && worst.y > best.y + 95);
    // The bar goes from the colour of the lowest to that of the highest rank.
    const bar = Array.from({ length: height }, (_, y) => y).find((y) => {
      return y > 20 && [...data.subarray(3 * (y * width + 12)).slice(0, 3)].join() === colourOf(0).join();
    })!;
    assert.deepEqual([...data.subarray(3 * (bar * width + 491)).slice(0, 3)], colourOf(1));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Genes that are not predicted are refused with the nearest", () => {
  checkShown(["KRT8"], ["EPCAM", "KRT8"]);
  assert.throws(
    () => checkShown(["KRT88"], ["EPCAM", "KRT8"]),
    (error: ConfigError) => /--show KRT8\?/.test(error.hint!),
  );
});
