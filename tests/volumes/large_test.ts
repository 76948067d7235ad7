/**
 * Large volumes are opened, read and resampled in parts: a sparse raw file of 20 GB, OME-Zarr in one chunk.
 *
 * @seconds 20
 */

import assert from "node:assert/strict";
import { LimitError } from "../../src/core/errors.ts";
import { disk } from "../../src/io/fs.ts";
import { tissueMask } from "../../src/volumes/mask.ts";
import { SILENT } from "../../src/core/reporter.ts";
import { convertVolume } from "../../src/run/convert_volume.ts";
import { openVolume } from "../../src/volumes/open.ts";
import type { Zyx } from "../../src/volumes/volume.ts";
import { findWindow } from "../../src/volumes/window.ts";

/** Bytes that the process grows by while `use` runs, at the end of each of its steps. */
async function growth(use: (look: () => void) => Promise<void>): Promise<number> {
  const before = Deno.memoryUsage().rss;
  let most = 0;
  await use(() => most = Math.max(most, Deno.memoryUsage().rss - before));
  return most;
}

/** A volume at another spacing, written as OME-Zarr. */
async function resampledTo(input: string, output: string, resample: Zyx, look: () => void): Promise<void> {
  await convertVolume({
    ...{ input, output, options: {}, resample, labels: false, mask: false, keepNonFinite: false, overwrite: false },
    zarrVersion: "0.5",
  }, { ...SILENT, update: look });
}

/** A file of `bytes` that takes no room, with some bytes at a place. */
function sparse(path: string, bytes: number, at: number, content: Uint8Array): void {
  using file = Deno.openSync(path, { write: true, create: true });
  file.truncateSync(bytes);
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(content);
}

Deno.test("a sparse raw file of 20 GB: opened, slices and boxes at its end read, in much less than 1 GiB", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const shape = [2500, 2000, 2000] as const;
    const at = (z: number, y: number, x: number) => 2 * ((z * 2000 + y) * 2000 + x);
    sparse(`${folder}/v.raw`, at(2500, 0, 0), at(2499, 1999, 1996), Uint8Array.of(1, 0, 2, 0, 3, 0, 4, 1));
    const header = { data: "v.raw", shape, spacing_um: [4, 4, 4], dtype: "u16" };
    Deno.writeTextFileSync(`${folder}/v.json`, JSON.stringify(header));
    const grown = await growth(async (look) => {
      const volume = await openVolume(disk, `${folder}/v.json`);
      look();
      assert.deepEqual([...await volume.readBox(2499, 2500, 1999, 2000, 1995, 2000)], [0, 1, 2, 3, 260]);
      assert.equal((await volume.readSlice(1200)).length, 4e6);
      look();
      await assert.rejects(() => findWindow(volume, 0), /expected different ones/);
      look();
      volume.close();
      await resampledTo(`${folder}/v.json`, `${folder}/r.ome.zarr`, [68, 67, 71], look);
    });
    const coarse = await openVolume(disk, `${folder}/r.ome.zarr`);
    assert.deepEqual([coarse.shape, coarse.spacing], [[148, 120, 113], [68, 67, 71]]);
    assert.ok(grown < 2 ** 28, `${grown} bytes`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("OME-Zarr in one chunk of 8 GB: read in parts where it is plain, refused by name where it is packed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const metadata = {
      ...{ zarr_format: 2, shape: [500, 2000, 4000], chunks: [500, 2000, 4000], dtype: "<u2", fill_value: 0 },
      ...{ order: "C", filters: null, compressor: null as unknown },
    };
    const scale = [{ type: "scale", scale: [4, 1, 1] }];
    const axes = ["z", "y", "x"].map((name) => ({ name, type: "space", unit: "micrometer" }));
    const datasets = [{ path: "0", coordinateTransformations: scale }];
    Deno.mkdirSync(`${folder}/0`);
    Deno.writeTextFileSync(`${folder}/.zattrs`, JSON.stringify({ multiscales: [{ version: "0.4", axes, datasets }] }));
    Deno.writeTextFileSync(`${folder}/0/.zarray`, JSON.stringify(metadata));
    sparse(`${folder}/0/0.0.0`, 8e9, 8e9 - 4, Uint8Array.of(7, 0, 8, 0));
    const grown = await growth(async (look) => {
      const volume = await openVolume(disk, folder);
      look();
      assert.deepEqual([...await volume.readBox(499, 500, 1999, 2000, 3997, 4000)], [0, 7, 8]);
      assert.equal((await volume.readSlice(3)).length, 8e6);
      look();
      assert.equal((await tissueMask(volume, { cell: 256 })).share, 0);
      look();
      await resampledTo(folder, `${folder}/r.ome.zarr`, [40, 16, 16], look);
    });
    assert.ok(grown < 2 ** 28, `${grown} bytes`);
    metadata.compressor = { id: "zlib", level: 1 };
    Deno.writeTextFileSync(`${folder}/0/.zarray`, JSON.stringify(metadata));
    const packed = await openVolume(disk, folder);
    await assert.rejects(
      () => packed.readSlice(0),
      (error: Error) =>
        error instanceof LimitError && /chunks of 8000000000 bytes/.test(error.message) &&
        /smaller chunks/.test(error.hint!),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
