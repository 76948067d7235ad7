// @seconds 60
/** Damaged volumes, seeded: each is read, or refused with a typed error that names the file and what was found. */

import assert from "node:assert/strict";
import { FormatError, type SealError } from "../../src/core/errors.ts";
import type { Rng } from "../../src/core/rng.ts";
import { memoryVolume, voxelsOf } from "../../src/volumes/volume.ts";
import { rawSink } from "../../src/volumes/raw.ts";
import { openVolume } from "../../src/volumes/open.ts";
import { fuzz, mutate as reshape, type Target } from "../io/fuzz.ts";
import { mutate } from "../io/mutate.ts";
import { filesBelow, memoryDisk } from "./files.ts";
import { FIXTURES } from "./fixtures.ts";

/** Bytes at the beginning of files that say what they hold. */
const HEADS: readonly (readonly [ending: RegExp, bytes: number])[] = [[/\.nii$/, 352], [/\.tif$/, 2000], [
  /\.png$/,
  64,
]];

/** A target of sets of files; one file of a set is changed, the first is what is opened. */
function volumeTarget(name: string, sets: readonly Map<string, Uint8Array>[], given?: string): Target {
  return {
    name,
    async run(rng) {
      const files = new Map(sets[rng.below(sets.length)]!);
      const paths = [...files.keys()];
      const opened = given ?? paths[0]!.split("/")[0]!;
      // Metadata as often as all chunks together.
      const metadata = paths.filter((path) => /json$|\.z\w+$|\.xml$/.test(path));
      const from = metadata.length > 0 && rng.below(2) ? metadata : paths;
      const path = from[rng.below(from.length)]!;
      files.set(path, changed(files.get(path)!, path, rng));
      await readSome(memoryDisk(files), opened);
      return undefined;
    },
  };
}

function changed(bytes: Uint8Array, path: string, rng: Rng): Uint8Array {
  if (/json$|\.z\w+$|\.xml$/.test(path) && rng.below(2)) return reshape(bytes, rng);
  return mutate(bytes, rng, HEADS.find(([ending]) => ending.test(path))?.[1] ?? bytes.length);
}

async function readSome(disk: ReturnType<typeof memoryDisk>, path: string): Promise<void> {
  try {
    const volume = await openVolume(disk, path, { spacing: [3, 1, 1], overrideSpacing: true, axes: "zyx" });
    try {
      const [depth, height, width] = volume.shape;
      for (const z of new Set([0, depth >> 1, depth - 1])) {
        const [rows, columns] = [Math.min(height, 16), Math.min(width, 16)];
        const box = await volume.readBox(z, z + 1, height - rows, height, width - columns, width);
        assert.equal(box.length, rows * columns * volume.channels.length);
      }
    } finally {
      volume.close();
    }
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    const { code, context } = error as SealError;
    assert.ok(typeof code === "string" && context !== undefined, `${(error as Error).stack}`);
    assert.match((error as Error).message, /^Cannot /);
    const facts = error instanceof FormatError ? ["file", "found", "expected"] : [];
    for (const fact of facts) assert.ok(fact in context, `no ${fact} in the context of: ${error}`);
    throw error;
  }
}

function fixture(...paths: string[]): Map<string, Uint8Array> {
  return new Map(paths.flatMap((path) => [...filesBelow(FIXTURES, path)]));
}

async function rawFiles(): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const volume = memoryVolume(voxelsOf("u16", 5 * 7 * 9 * 2), {
    shape: [5, 7, 9],
    spacing: [4, 1, 1],
    channels: ["a", "b"],
  });
  const sink = rawSink("brain.json", volume);
  await sink.fill({
    write: (path: string, data: string) => void files.set(path, new TextEncoder().encode(data)),
    writeSlowly: (path: string) =>
      Promise.resolve(void files.set(path.replace("./", ""), new Uint8Array(5 * 7 * 9 * 4))),
  } as never, (async function* () {})());
  return new Map(
    [...files].sort(([a], [b]) => a < b ? -1 : 1).map(([path, data]) => [`./${path.replace("./", "")}`, data]),
  );
}

const TARGETS: readonly Target[] = [
  volumeTarget("raw voxels", [await rawFiles()], "./brain.json"),
  volumeTarget(
    "NIfTI",
    ["u16_big.nii", "f32_channels.nii", "i16_qform.nii", "i16_scaled.nii.gz"].map((name) => fixture(name)),
  ),
  volumeTarget("TIFF stacks", ["ome.ome.tif", "imagej.tif", "pages_big.tif"].map((name) => fixture(name))),
  volumeTarget("slices", ["slices16", "slices8"].map((name) => fixture(name))),
  volumeTarget(
    "OME-Zarr",
    ["v4_blosc.zarr", "v4_plain_big.zarr", "v5_zstd.zarr", "v5_shard.zarr"].map((name) => fixture(name)),
  ),
  volumeTarget(
    "BigDataViewer",
    [new Map([...fixture("bdv.xml", "bdv.h5")].map(([path, data]) => [`./${path}`, data]))],
    "./bdv.xml",
  ),
];

for (const target of TARGETS) {
  Deno.test(`500 mutants: ${target.name} is read or refused with a typed error that says where`, async () => {
    const { read, refused, growth } = await fuzz(target, 500, 1);
    assert.ok(refused > 50 && read > 0, `${read} read, ${refused} refused`);
    assert.ok(growth < 2 ** 30, `${growth} bytes`);
  });
}
