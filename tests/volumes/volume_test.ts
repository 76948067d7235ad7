/** A volume in memory gives the boxes that plain indexing gives, and refuses those that are not of it. */

import assert from "node:assert/strict";
import { LimitError, ShapeError } from "../../src/core/errors.ts";
import { boxesOf, copyBox, memoryVolume, voxelsOf, type Zyx } from "../../src/volumes/volume.ts";

const SHAPE: Zyx = [3, 4, 5];
const voxels = Uint16Array.from({ length: 3 * 4 * 5 * 2 }, (_, i) => i);
const volume = memoryVolume(voxels, { shape: SHAPE, spacing: [4, 1, 1], channels: ["nuclear", "eosin"] });

Deno.test("volume in memory: a box holds the voxels that lie in it, channels last", async () => {
  const box = await volume.readBox(1, 3, 1, 2, 2, 4);
  const at = (z: number, y: number, x: number, c: number) => ((z * 4 + y) * 5 + x) * 2 + c;
  const expected = [1, 2].flatMap((z) => [2, 3].flatMap((x) => [at(z, 1, x, 0), at(z, 1, x, 1)]));
  assert.deepEqual([...box], expected);
  assert.deepEqual(volume.dtype, "u16");
  assert.deepEqual([...await volume.readSlice(2)], [...voxels.subarray(80, 120)]);
});

Deno.test("volume in memory: boxes of any step make the whole", async () => {
  for (const step of [[1, 1, 1], [2, 3, 4], [3, 4, 5], [7, 7, 7]] as Zyx[]) {
    const out = voxelsOf("u16", voxels.length);
    for (const { from, to } of boxesOf(SHAPE, step)) {
      const box = await volume.readBox(from[0], to[0], from[1], to[1], from[2], to[2]);
      copyBox(box, from, to, out, [0, 0, 0], SHAPE, 2);
    }
    assert.deepEqual([...out], [...voxels]);
  }
});

Deno.test("volume in memory: boxes outside, empty or between voxels are refused, as are voxels of another number", async () => {
  for (const box of [[0, 4, 0, 1, 0, 1], [0, 1, -1, 1, 0, 1], [0, 1, 0, 1, 2, 2], [0, 1, 0, 1, 0, 0.5]]) {
    const [z0, z1, y0, y1, x0, x1] = box as [number, number, number, number, number, number];
    await assert.rejects(() => volume.readBox(z0, z1, y0, y1, x0, x1), LimitError);
  }
  assert.throws(() => memoryVolume(new Uint8Array(7), { shape: [2, 2, 2], spacing: [1, 1, 1] }), ShapeError);
});
