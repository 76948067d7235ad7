import assert from "node:assert/strict";
import { DataError, FormatError, LimitError } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { openFeatures } from "../../src/io/features.ts";
import { disk } from "../../src/io/fs.ts";
import { MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { mutate } from "./mutate.ts";

const path = (name: string) => new URL(`../fixtures/h5/${name}`, import.meta.url).pathname;
const open = (name: string) => openFeatures(disk.open(path(name), "read"));
const expected = JSON.parse(Deno.readTextFileSync(path("expected.json"))).features;

Deno.test("openFeatures() reads files of TRIDENT, CLAM, the HEST benchmark, scanpy and NumPy", async () => {
  const names = (letter: string) => Array.from({ length: 6 }, (_, i) => `${letter}${i}`);
  const coords = Array.from({ length: 12 }, (_, i) => i);
  const cases: [string, number[], string[] | undefined, number[] | undefined][] = [
    ["trident_features.h5", expected.values, undefined, coords],
    ["bench_embeddings.h5", expected.half, names("S"), coords],
    ["clam_features.h5", expected.values, undefined, undefined],
    ["features.h5ad", expected.values, names("B"), coords.map((v) => v + 0.5)],
    ["features.npy", expected.values, undefined, undefined],
    ["half.npy", expected.half, undefined, undefined],
  ];
  for (const [name, values, barcodes, places] of cases) {
    const features = await open(name);
    assert.deepEqual([features.count, features.dim], [6, 5], name);
    assert.deepEqual([...await features.read()], values, name);
    assert.deepEqual([...await features.read(4, 6)], values.slice(20), name);
    assert.deepEqual(features.barcodes, barcodes, name);
    assert.deepEqual(features.coords && [...features.coords], places, name);
    features.close();
  }
});

Deno.test("openFeatures() says why a file holds no features", async () => {
  await assert.rejects(open("current.h5"), (error: DataError) => {
    return error instanceof DataError && /it has barcode, coords, img, none of \/features/.test(error.message);
  });
  await assert.rejects(open("images.npy"), /u1 \[3,4,5,3\], expected numbers \[n, d\]/);
  await assert.rejects(open("expected.json"), FormatError);
});

Deno.test("openFeatures() answers 300 mutations with a typed error or features", async () => {
  const seeds = ["trident_features.h5", "bench_embeddings.h5", "features.npy"].map((name) =>
    Deno.readFileSync(path(name))
  );
  let refused = 0;
  for (let i = 0; i < 300; i++) {
    const rng = new Rng(23, i);
    try {
      const features = await openFeatures(new MemoryStorage("mutant", mutate(seeds[i % seeds.length]!, rng, 2048)));
      const n = Math.min(features.count, 10);
      if (features.dim < 1e6) assert.equal((await features.read(0, n)).length, n * features.dim);
      features.close();
    } catch (error) {
      const typed = [FormatError, DataError, LimitError].some((kind) => error instanceof kind);
      assert.ok(typed && (error as Error).message.includes("mutant"), `${i}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 80, `${refused} refused`);
});
