/** Volumes of nibabel, h5py, PyPI's zarr, tifffile and Pillow are read as these libraries read them, by any box. */

import assert from "node:assert/strict";
import { DataError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { disk } from "../../src/io/fs.ts";
import { openVolume } from "../../src/volumes/open.ts";
import type { Zyx } from "../../src/volumes/volume.ts";
import { EXPECTED, type Expected, FIXTURES } from "./fixtures.ts";

for (const [name, expected] of Object.entries(EXPECTED)) {
  const [file, level = "0"] = name.split(" ") as [string, string?];
  Deno.test(`volume ${name}: voxels, spacing, channels and place as its library has them`, async () => {
    const { spacing } = expected;
    const options = spacing === null ? { spacing: [3, 1, 1] as Zyx } : {};
    const volume = await openVolume(disk, `${FIXTURES}/${file}`, { ...options, level: Number(level) });
    try {
      assert.deepEqual([...volume.shape, volume.channels.length], expected.shape);
      near(volume.spacing, spacing ?? [3, 1, 1]);
      assert.equal(volume.spacingFrom, spacing === null ? "option" : "file");
      if (expected.channels !== undefined) assert.deepEqual(volume.channels, expected.channels);
      if (expected.origin !== undefined) {
        near(volume.placement!.origin, expected.origin);
        volume.placement!.direction.forEach((axis, i) => near(axis, expected.direction![i]!));
      }
      const [depth, height, width] = volume.shape;
      assert.deepEqual([...await volume.readBox(0, depth, 0, height, 0, width)], expected.voxels);
      await compareBoxes(volume, expected);
    } finally {
      volume.close();
    }
  });
}

function near(found: readonly number[], wanted: readonly number[]): void {
  assert.equal(found.length, wanted.length);
  found.forEach((value, i) =>
    assert.ok(Math.abs(value - wanted[i]!) < 1e-5 * (1 + Math.abs(wanted[i]!)), `${found} ${wanted}`)
  );
}

async function compareBoxes(
  volume: Awaited<ReturnType<typeof openVolume>>,
  { voxels, shape }: Expected,
): Promise<void> {
  const rng = new Rng(3);
  const [, height, width, channels] = shape as [number, number, number, number];
  for (let i = 0; i < 20; i++) {
    const bounds = volume.shape.flatMap((extent) => {
      const from = rng.below(extent);
      return [from, from + 1 + rng.below(extent - from)];
    }) as [number, number, number, number, number, number];
    const [z0, z1, y0, y1, x0, x1] = bounds;
    const wanted: number[] = [];
    for (let z = z0; z < z1; z++) {
      for (let y = y0; y < y1; y++) {
        const row = (z * height + y) * width;
        wanted.push(...voxels.slice((row + x0) * channels, (row + x1) * channels));
      }
    }
    assert.deepEqual([...await volume.readBox(...bounds)], wanted, `box ${bounds}`);
  }
}

Deno.test("volume of NIfTI without a unit of length: it wants --spacing, and takes it", async () => {
  const path = `${FIXTURES}/no_unit.nii`;
  await assert.rejects(
    () => openVolume(disk, path),
    (error: DataError) =>
      error instanceof DataError && /unit of space has code 0/.test(error.message) &&
      /--spacing/.test(error.hint!),
  );
  const volume = await openVolume(disk, path, { spacing: [4, 1, 1] });
  assert.deepEqual(volume.spacing, [4, 1, 1]);
  volume.close();
});
