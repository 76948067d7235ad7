/** Images of predicted planes: at the places and between them, resumed behind any row of chunks, nothing left of other shapes. */

import assert from "node:assert/strict";
import { disk } from "../../src/io/fs.ts";
import { spreadOf } from "../../src/run/predict_volume.ts";
import { imageShape, type PlaneImages, writeImages, WrittenPlanes } from "../../src/run/volume_images.ts";
import { openVolume } from "../../src/volumes/open.ts";
import { filesBelow } from "../../scripts/kill_jobs.ts";

const [nz, ny, nx] = [6, 3, 4];
/** Linear along every axis; what is outside is the last column, and a place in the middle. */
const value = (z: number, y: number, x: number) => 5 * z + 3 * y - 2 * x;
const outside = (z: number, y: number, x: number) => x === 3 || (z === 2 && y === 1 && x === 1);

function images(more: Partial<PlaneImages> = {}): PlaneImages & { asked: number[] } {
  const asked: number[] = [];
  return {
    ...{ names: ["a.ome.zarr"], shape: [nz, ny, nx], spacing: [8, 16, 16], origin: [0, 0, 0], channels: ["A", "B"] },
    ...{ attributes: {}, asked },
    plane(k) {
      asked.push(k);
      const plane = new Float32Array(ny * nx * 2).fill(NaN);
      for (let i = 0; i < ny * nx; i++) {
        const [y, x] = [Math.floor(i / nx), i % nx];
        if (!outside(k, y, x)) plane.set([value(k, y, x), 1 - value(k, y, x)], 2 * i);
      }
      return Promise.resolve([plane]);
    },
    ...more,
  };
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function read(path: string) {
  const volume = await openVolume(disk, path);
  const [d, h, w] = volume.shape;
  return { volume, voxels: await volume.readBox(0, d, 0, h, 0, w) };
}

Deno.test("places as they are, each plane asked for once, where the image lies", () =>
  inFolder(async (folder) => {
    const asked = images({ origin: [16, 32, 48] });
    await writeImages(folder, asked, new WrittenPlanes(`${folder}/p.json`));
    assert.deepEqual(asked.asked, [0, 1, 2, 3, 4, 5]);
    const { volume, voxels } = await read(`${folder}/a.ome.zarr`);
    assert.deepEqual([volume.shape, volume.channels], [[nz, ny, nx], ["A", "B"]]);
    for (let i = 0; i < nz * ny * nx; i++) {
      const at = [Math.floor(i / ny / nx), Math.floor(i / nx) % ny, i % nx] as const;
      assert.deepEqual(
        [...voxels.slice(2 * i, 2 * i + 2)],
        outside(...at) ? [NaN, NaN] : [value(...at), 1 - value(...at)],
      );
    }
    const { ome } = JSON.parse(Deno.readTextFileSync(`${folder}/a.ome.zarr/zarr.json`)).attributes;
    assert.deepEqual(ome.multiscales[0].datasets[0].coordinateTransformations[1].translation, [0, 16, 32, 48]);
  }));

Deno.test("between places values are trilinear; where the nearest place has none there is none", () =>
  inFolder(async (folder) => {
    const fine = images({ resample: [3, 5, 4] });
    await writeImages(folder, fine, new WrittenPlanes(`${folder}/p.json`));
    assert.deepEqual(fine.asked, [0, 1, 2, 3, 4, 5], "planes are asked for in order, once");
    const { volume, voxels } = await read(`${folder}/a.ome.zarr`);
    assert.deepEqual([volume.shape, volume.spacing], [imageShape(fine), [3, 5, 4]]);
    assert.deepEqual(volume.shape, [14, 7, 13]);
    let [told, none] = [0, 0];
    for (let i = 0; i < 14 * 7 * 13; i++) {
      const at = [Math.floor(i / 91) * 3 / 8, Math.floor(i / 13) % 7 * 5 / 16, i % 13 * 4 / 16] as const;
      const near = at.map((place) => place % 1 < 0.5 ? Math.floor(place) : Math.floor(place) + 1);
      const [z, y, x] = near as [number, number, number];
      if (outside(z, y, x)) {
        none++;
        assert.ok(Number.isNaN(voxels[2 * i]!), `${at}`);
        continue;
      }
      // Away from places without a value, the field comes back as it is.
      const whole = [0, 1, 2, 3, 4, 5, 6, 7].every((corner) =>
        !outside(
          ...[4, 2, 1].map((bit, axis) =>
            at[axis]! % 1 === 0 || !(corner & bit) ? Math.floor(at[axis]!) : Math.floor(at[axis]!) + 1
          ) as [number, number, number],
        )
      );
      if (!whole) continue;
      told++;
      assert.ok(Math.abs(voxels[2 * i]! - value(...at)) < 1e-4, `${voxels[2 * i]} at ${at}`);
      assert.ok(Math.abs(voxels[2 * i + 1]! + value(...at) - 1) < 1e-4);
    }
    assert.ok(told > 400 && none > 100, `${told} ${none}`);
  }));

Deno.test("what was begun is gone on with, to the same bytes; of another shape nothing is left", () =>
  inFolder(async (folder) => {
    const run = (one: PlaneImages) => writeImages(folder, one, new WrittenPlanes(`${folder}/p.json`));
    const fine = { resample: [2, 8, 8] as const };
    await run(images(fine));
    const files = () =>
      new Map(
        filesBelow(`${folder}/a.ome.zarr`).map((path) => [path, Deno.readFileSync(`${folder}/a.ome.zarr/${path}`)]),
      );
    const whole = files();
    disk.remove(`${folder}/p.json`);
    const stopped = images({
      ...fine,
      plane: (k) => k < 3 ? images().plane(k) : Promise.reject(new Error("stopped")),
    });
    await assert.rejects(() => run(stopped), /stopped/);
    assert.ok(files().size < whole.size);
    const rest = images(fine);
    await run(rest);
    assert.deepEqual(rest.asked, [2, 3, 4, 5], "behind the chunks that were written");
    assert.deepEqual(files(), whole);
    disk.remove(`${folder}/p.json`);
    await run(images());
    const { volume } = await read(`${folder}/a.ome.zarr`);
    assert.deepEqual(volume.shape, [nz, ny, nx]);
    const chunks = [...files().keys()].filter((path) => path.startsWith("0/c/"));
    assert.deepEqual(chunks.sort(), ["0/c/0/0/0/0", "0/c/0/1/0/0", "0/c/1/0/0/0", "0/c/1/1/0/0"]);
  }));

Deno.test("several runs: their mean and deviation, nothing where they say nothing", () => {
  const [mean, deviation] = spreadOf([[1, NaN, 4], [3, NaN, 4], [8, NaN, 4]].map((of) => Float32Array.from(of)));
  assert.deepEqual([...mean], [4, NaN, 4]);
  assert.deepEqual([...deviation].map((value) => value && Math.fround(value)), [Math.fround(Math.sqrt(13)), NaN, 0]);
});
