/** Damaged and hostile stores of zarr, of both versions; as `fuzz_spatial.ts`. */

import assert from "node:assert/strict";
import type { Rng } from "../../src/core/rng.ts";
import { readStoreSample } from "../../src/data/convert/spatialdata_read.ts";
import type { Disk } from "../../src/io/disk.ts";
import { MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { copyToHdf5 } from "../../src/io/zarr/anndata_copy.ts";
import { ZarrFolder } from "../../src/io/zarr/zarr.ts";
import type { Target } from "./fuzz.ts";
import { mutate } from "./mutate.ts";

const FIXTURES = new URL("../fixtures/spatialdata/", import.meta.url).pathname;

/** All files below a folder by their paths in it. */
function filesBelow(folder: string, path: string = ""): Map<string, Uint8Array> {
  const out = new Map<string, Uint8Array>();
  for (const { name, isDirectory } of Deno.readDirSync(`${folder}/${path}`)) {
    const place = path === "" ? name : `${path}/${name}`;
    if (!isDirectory) out.set(place, Deno.readFileSync(`${folder}/${place}`));
    else for (const [below, bytes] of filesBelow(folder, place)) out.set(below, bytes);
  }
  return out;
}

/** A store of files in memory, one of which is another, or is missing. */
function changed(files: ReadonlyMap<string, Uint8Array>, path: string, bytes: Uint8Array | undefined): ZarrFolder {
  const names = [...files.keys()];
  const read = (wanted: string) => wanted === path ? bytes : files.get(wanted);
  const inStore = (place: string) => place.replace(/^mutant\/?/, "");
  const disk: Pick<Disk, "look" | "open"> = {
    look(place) {
      const wanted = inStore(place);
      const found = read(wanted);
      if (found !== undefined) return { kind: "file", size: found.length };
      const below = wanted === "" ? names : names.filter((name) => name.startsWith(`${wanted}/`));
      const skip = wanted === "" ? 0 : wanted.length + 1;
      const inside = [...new Set(below.map((name) => name.slice(skip).split("/")[0]!))];
      return inside.length === 0 ? undefined : { kind: "folder", names: inside };
    },
    open: (place) => Object.assign(new MemoryStorage(place, read(inStore(place))), { sync() {}, close() {} }),
  };
  return new ZarrFolder(disk as Disk, "mutant");
}

/** Stores. @param target Makes a target whose errors are checked. */
export function zarrTarget(target: (name: string, read: (rng: Rng) => Promise<void>) => Target): Target {
  const stores = [2, 3].map((version) => filesBelow(`${FIXTURES}v${version}.zarr`));
  // Of the rest of a table and the list of all nothing is read.
  const paths = stores.map((files) =>
    [...files.keys()].filter((path) => !/\.zmetadata$|table\/(?:raw|uns|obsp|varp|varm|layers)\//.test(path))
  );
  return target("zarr", async (rng) => {
    const which = rng.below(2);
    const path = paths[which]![rng.below(paths[which]!.length)]!;
    const bytes = rng.below(8) === 0 ? undefined : mutate(stores[which]!.get(path)!, rng);
    const store = changed(stores[which]!, path, bytes);
    const read = await readStoreSample(store, { id: "mutant", pixelSize: 0.5, pitch: undefined });
    try {
      const { sample, image: { slide } } = read;
      const { counts, barcodes, spatial } = sample;
      assert.deepEqual([counts.rows, spatial.length], [barcodes.length, 2 * barcodes.length]);
      counts.read(0, counts.rows);
      for (const [level, { width, height }] of slide.levels.entries()) {
        const { data } = await slide.read(level, 0, 0, Math.min(width, 64), Math.min(height, 64));
        assert.equal(data.length, 3 * Math.min(width, 64) * Math.min(height, 64));
      }
    } finally {
      read.close();
    }
  });
}

/** Tables of anndata, copied whole into HDF5: every part may be damaged. */
export function anndataTarget(target: (name: string, read: (rng: Rng) => Promise<void>) => Target): Target {
  const stores = [2, 3].map((version) => filesBelow(`${FIXTURES}v${version}.zarr/tables/table`));
  const paths = stores.map((files) => [...files.keys()].filter((path) => !path.endsWith(".zmetadata")));
  return target("anndata", async (rng) => {
    const which = rng.below(2);
    const path = paths[which]![rng.below(paths[which]!.length)]!;
    const bytes = rng.below(8) === 0 ? undefined : mutate(stores[which]!.get(path)!, rng);
    const storage = new MemoryStorage("mutant.h5ad");
    const h5 = await H5Writer.create(storage);
    try {
      const { leftOut } = await copyToHdf5(changed(stores[which]!, path, bytes), h5);
      assert.ok(leftOut.every((place) => place.startsWith("uns/")), leftOut.join());
    } finally {
      h5.close();
    }
    const copy = await H5ad.open(storage);
    assert.ok(copy.obs.index.length > 0 && copy.var.index.length > 0);
    copy.close();
  });
}
