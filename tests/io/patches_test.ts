import assert from "node:assert/strict";
import { DataError, FormatError, LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { disk } from "../../src/io/fs.ts";
import { MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { openPatches } from "../../src/io/patches.ts";
import { Sha256 } from "../../src/host/zlib.ts";
import { mutate } from "./mutate.ts";

const path = (name: string) => new URL(`../fixtures/h5/${name}`, import.meta.url).pathname;
const open = (name: string) => openPatches(disk.open(path(name), "read"));
const expected = JSON.parse(Deno.readTextFileSync(path("expected.json")));
const hash = (bytes: Uint8Array) => new Sha256().update(bytes).hex();
const CORNERS = [100, 2000, 107, 1997, 114, 1994, 121, 1991, 128, 1988];

Deno.test("openPatches() reads every generation: pixels and barcodes", async () => {
  for (const name of ["current", "v1", "hestcore_102", "imgs", "float_attributes", "gzip", "lzf"]) {
    const want = expected[name];
    const patches = await open(`${name}.h5`);
    assert.deepEqual([patches.count, patches.width, patches.height], [want.count, 12, 12], name);
    assert.deepEqual(patches.barcodes ?? null, want.barcodes, name);
    assert.equal(hash(patches.read(0, want.count)), want.sha256, name);
    patches.close();
  }
});

Deno.test("openPatches() tells a coordinate's meaning by the attributes of the generation, and guesses nothing", async () => {
  const current = await open("current.h5");
  assert.deepEqual([current.generation, current.coordsOf, current.sizeOnSlide], ["current", "top-left", 29]);
  assert.deepEqual([...current.coords!], CORNERS);
  assert.equal(current.slidePixelSize, 0.2069);
  assert.ok(Math.abs(current.pixelSize! - 0.2069 * 29 / 12) < 1e-12);
  current.close();

  // The file has y, x of the centre.
  const v1 = await open("v1.h5");
  assert.deepEqual([v1.generation, v1.coordsOf, v1.sizeOnSlide, v1.pixelSize], ["v1", "centre", 29, 0.5]);
  assert.deepEqual([...v1.coords!], CORNERS.map((v) => v + 14));
  assert.ok(Math.abs(v1.slidePixelSize! - 0.21) < 1e-12);
  v1.close();

  const imgs = await open("imgs.h5");
  assert.deepEqual([imgs.generation, imgs.coords, imgs.coordsOf, imgs.pixelSize], [
    "other",
    undefined,
    "unknown",
    undefined,
  ]);
  imgs.close();

  const gzip = await open("gzip.h5");
  assert.deepEqual([gzip.generation, gzip.coordsOf], ["other", "unknown"]);
  gzip.close();

  const floats = await open("float_attributes.h5");
  assert.deepEqual([floats.generation, floats.sizeOnSlide, [...floats.coords!]], ["current", 29, CORNERS.slice(0, 4)]);
  floats.close();
});

Deno.test("openPatches() reads rows in any cut, of chunks of several compressed patches too", async () => {
  for (const name of ["gzip.h5", "current.h5"]) {
    const patches = await open(name);
    const size = 12 * 12 * 3;
    const all = patches.read(0, patches.count);
    for (
      const [from, to] of [[0, 1], [1, 3], [3, 5], [4, 5], [0, patches.count], [patches.count - 1, patches.count], [
        2,
        2,
      ]] as const
    ) {
      assert.deepEqual(patches.read(from, to), all.slice(from * size, to * size), `${name} ${from} ${to}`);
    }
    patches.close();
  }
});

Deno.test("openPatches() says why a file holds no patches", async () => {
  const cases: [string, typeof DataError | typeof FormatError, RegExp][] = [
    ["coords_only.h5", DataError, /it has coordinates, no img/],
    ["trident_coords.h5", DataError, /it has coordinates, no img/],
    ["trident_features.h5", DataError, /it has coordinates, no img/],
    ["types.h5", DataError, /it has c, n, o, s, no img/],
    ["float_coords.h5", FormatError, /:\/coords: 100\.5 in row 0, expected whole pixels/],
  ];
  for (const [name, kind, pattern] of cases) {
    await assert.rejects(open(name), (error: DataError) => error instanceof kind && pattern.test(error.message), name);
  }
});

/** A patch file with one thing wrong. */
async function made(change: (h5: H5Writer) => void): Promise<MemoryStorage> {
  const sink = new MemoryStorage("made.h5");
  const h5 = await H5Writer.create(sink);
  change(h5);
  h5.close();
  return sink;
}

Deno.test("openPatches() refuses files whose parts disagree", async () => {
  const img = (h5: H5Writer, shape = [2, 4, 4, 3]) =>
    h5.dataset("/img", "u1", shape, new Uint8Array(shape.reduce((a, b) => a * b, 1)));
  const cases: [(h5: H5Writer) => void, RegExp][] = [
    [(h5) => (img(h5), h5.strings("/barcode", ["a"])), /:\/barcode: shape \[1\], expected 2 rows of 1/],
    [
      (h5) => (img(h5), h5.dataset("/coords", "i4", [2, 3], new Int32Array(6))),
      /:\/coords: shape \[2,3\], expected 2 rows of 2/,
    ],
    [
      (h5) => (img(h5), h5.attribute("/img", "patch_size_target", 224)),
      /patches of 4x4, expected patch_size_target 224/,
    ],
    [(h5) => (img(h5), h5.attribute("/img", "factor", 0)), /:\/img@factor: 0, expected a positive number/],
    [(h5) => img(h5, [2, 3, 4, 4]), /u1 \[2,3,4,4\], expected u1 \[n, height, width, 3\]/],
    [(h5) => h5.dataset("/img", "f4", [1, 2, 2, 3], new Float32Array(12)), /f4 \[1,2,2,3\], expected u1/],
  ];
  for (const [change, pattern] of cases) {
    const storage = await made(change);
    await assert.rejects(
      openPatches(storage),
      (error: FormatError) => error instanceof FormatError && pattern.test(error.message),
    );
  }
});

Deno.test("openPatches() answers 300 mutations with a typed error or patches", async () => {
  const seed = Deno.readFileSync(path("current.h5"));
  let refused = 0;
  for (let i = 0; i < 300; i++) {
    try {
      const patches = await openPatches(new MemoryStorage("mutant", mutate(seed, new Rng(17, i), 4096)));
      const n = Math.min(patches.count, 10);
      assert.equal(patches.read(0, n).length, n * patches.width * patches.height * 3);
      patches.close();
    } catch (error) {
      const typed = [FormatError, DataError, LimitError].some((kind) => error instanceof kind);
      assert.ok(typed && (error as Error).message.includes("mutant"), `${i}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 100, `${refused} refused`);
});
