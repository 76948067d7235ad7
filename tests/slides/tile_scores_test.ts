/** Scores of tiles in the forms of other programs, and whether they fit their slide. */

import assert from "node:assert/strict";
import { ConfigError, DataError, FormatError } from "../../src/core/errors.ts";
import type { HostFile } from "../../src/io/disk.ts";
import { MemoryStorage } from "../../src/io/hdf5/h5_library.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { npyHeader } from "../../src/io/npy.ts";
import { tensorChunks } from "../../src/io/torch/pth_write.ts";
import { fitScores, parseRange } from "../../src/slides/fit_scores.ts";
import { readPlaces, readTileScores, type ScoreRequest } from "../../src/slides/tile_scores.ts";

type H5 = ReturnType<Awaited<ReturnType<typeof H5Writer.prepare>>>;

const files = new Map<string, Uint8Array>();
const disk = {
  open(path: string): HostFile {
    const storage = new MemoryStorage(path, files.get(path)!.slice());
    return {
      name: path,
      size: () => storage.size(),
      read: (at: number, into: Uint8Array) => storage.read(at, into),
      write() {},
      truncate() {},
      sync() {},
      close() {},
    } as unknown as HostFile;
  },
};

const begin = await H5Writer.prepare();
function h5(path: string, fill: (file: H5) => void): string {
  const storage = new MemoryStorage(path);
  const file = begin(storage as never);
  fill(file);
  file.close();
  const bytes = new Uint8Array(storage.size());
  storage.read(0, bytes);
  files.set(path, bytes);
  return path;
}
function text(path: string, content: string): string {
  files.set(path, new TextEncoder().encode(content));
  return path;
}
const joined = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
function npy(
  path: string,
  dtype: "f4" | "f8" | "i4",
  shape: number[],
  values: Float32Array | Float64Array | Int32Array,
) {
  files.set(path, joined(npyHeader(dtype, shape), new Uint8Array(values.buffer)));
  return path;
}

const COORDS = [0, 0, 256, 0, 0, 256];
const slide = {
  name: "A.svs",
  levels: [{ width: 1000, height: 800, downsample: 1 }],
  pixelSize: { um: 0.5, source: "aperio" },
} as unknown as Parameters<typeof fitScores>[1];
const PATCHES = h5("A_patches.h5", (file) => {
  file.dataset("/coords", "i8", [3, 2], BigInt64Array.from(COORDS, BigInt));
  const said = { patch_size: 256, patch_size_level0: 256, name: "A", level0_width: 1000, level0_height: 800 };
  for (const [key, value] of Object.entries(said)) file.attribute("/coords", key, value);
  file.dataset("/tissue", "f4", [3], Float32Array.of(1, 0.5, 0.25));
});
const places = { file: PATCHES, places: await readPlaces(disk, PATCHES, "A") };
const read = (path: string, more: Partial<ScoreRequest> = {}) =>
  readTileScores(disk, path, { slide: "A", wanted: [], ...more });
const columns = async (path: string, more: Partial<ScoreRequest> = {}) =>
  Object.fromEntries([...(await read(path, more)).columns].map(([name, column]) => [name, [...column]]));

Deno.test("Scores of CLAM, TRIDENT's patches, NumPy, PyTorch and tables are read, whichever way their arrays lie", async () => {
  assert.deepEqual([...places.places.coords!], COORDS);
  assert.deepEqual(await columns(PATCHES), { tissue: [1, 0.5, 0.25] });
  const clam = h5("clam.h5", (file) => {
    file.dataset("/attention_scores", "f4", [3, 1], Float32Array.of(1, 2, 3));
    file.dataset("/coords", "i4", [3, 2], Int32Array.from(COORDS));
    file.dataset("/features", "f4", [3, 4], new Float32Array(12));
    file.strings("/barcode", ["a", "b", "c"]);
  });
  assert.deepEqual(await columns(clam), { attention_scores: [1, 2, 3] });
  assert.deepEqual((await read(clam)).tiles, ["a", "b", "c"]);
  const both = h5("both.h5", (file) => {
    file.dataset("/p", "f8", [2, 3], Float64Array.of(1, 2, 3, 4, 5, 6));
    file.dataset("/q", "f8", [3, 2], Float64Array.of(1, 2, 3, 4, 5, 6));
    file.dataset("/other", "f8", [7], new Float64Array(7));
  });
  const p = { p_0: [1, 2, 3], p_1: [4, 5, 6] };
  assert.deepEqual(await columns(both, { places }), { ...p, q_0: [1, 3, 5], q_1: [2, 4, 6] });
  assert.deepEqual(await columns(both, { places, wanted: ["q_1"] }), { q_1: [2, 4, 6] });
  const values = Float32Array.of(1, 2, 3);
  for (const shape of [[3], [3, 1], [1, 3], [1, 1, 3]]) {
    assert.deepEqual(await columns(npy("a.npy", "f4", shape, values), { places }), { score: [1, 2, 3] }, `${shape}`);
  }
  files.set("a.pt", joined(...tensorChunks({ dtype: "F32", shape: [1, 3], data: new Uint8Array(values.buffer) })));
  assert.deepEqual(await columns("a.pt", { places }), { score: [1, 2, 3] });
  const table = text("t.csv", "Unnamed: 0,x,y,barcode,attention,p\n0,0,0,a,1,.5\n1,256,0,b,2,nan\n2,0,256,c,3,\n");
  assert.deepEqual(await columns(table), { attention: [1, 2, 3], p: [0.5, NaN, NaN] });
  const { tiles, places: own } = await read(table);
  assert.deepEqual([tiles, [...own.coords]], [["a", "b", "c"], COORDS]);
  assert.deepEqual(await columns(text("t.txt", "1e0\n2e0\n3e0\n"), { places }), { score: [1, 2, 3] });
  const cohort = "slide_id\tcoord_x\tcoord_y\ts\nA.svs\t0\t0\t1\nB\t5\t5\t9\nA\t256\t0\t2\n";
  assert.deepEqual(await columns(text("c.tsv", cohort)), { s: [1, 2] });
  npy("xy.npy", "i4", [3, 2], Int32Array.from(COORDS));
  assert.deepEqual([...(await readPlaces(disk, "xy.npy", "A")).coords!], COORDS);
  assert.deepEqual([...(await readPlaces(disk, table, "A")).coords!], COORDS);
});

Deno.test("What is no score of these tiles is refused with what was found; broken files by line or place", async () => {
  const refused: [path: string, more: Partial<ScoreRequest>, code: string, why: RegExp][] = [
    [npy("n.npy", "f4", [2], Float32Array.of(1, 2)), { places }, "no-score", /an array \[2\] for 3 tiles/],
    [npy("n.npy", "f4", [2], Float32Array.of(1, 2)), {}, "no-coordinates", /it has no coordinates/],
    [PATCHES, { wanted: ["attention"] }, "no-score", /Cannot draw attention of .*: it has tissue/],
    [text("a.csv", "x,y,s\n0,0,1\n"), { places }, "no-score", /1 rows for 3 tiles/],
    [text("b.csv", "slide,x,y,s\nB,0,0,1\n"), {}, "other-slide", /its rows are of B/],
    [text("c.csv", "x,y,name\n0,0,a\n"), {}, "no-score", /it has x, y, name, expected a number a tile/],
    [
      text("d.csv", `x,y,${Array.from({ length: 17 }, (_, i) => `s${i}`)}\n0,0${",1".repeat(17)}\n`),
      {},
      "many-scores",
      /all 17/,
    ],
  ];
  for (const [path, more, code, why] of refused) {
    await assert.rejects(read(path, more), (error: DataError) => {
      assert.match(error.message, why);
      return error instanceof DataError && error.code === code && error.hint !== undefined;
    });
  }
  const broken: [string, RegExp][] = [
    ["x,y,s\n0,0\n", /line 2 has 2 fields, expected 3/],
    ["0,0,1\n5,5,2\n", /line 1 has no names of columns, but 0, 0, 1/],
    ["x,y,s\n0,?,1\n", /line 2 has "\?" in y, expected a number/],
  ];
  for (const [content, why] of broken) {
    await assert.rejects(
      read(text("f.csv", content)),
      (error: FormatError) =>
        error instanceof FormatError && why.test(error.message) && typeof error.context.line === "number",
    );
  }
  await assert.rejects(read(text("f.csv", "x,y,s\n0,0,a\n"), { wanted: ["s"] }), /line 2 has "a" in s/);
  files.set("cut.h5", files.get(PATCHES)!.slice(0, 900));
  await assert.rejects(read("cut.h5"), FormatError);
  npy("flat.npy", "i4", [6], Int32Array.from(COORDS));
  await assert.rejects(readPlaces(disk, "flat.npy", "A"), /shape \[6\], expected \[n, 2\]/);
  const odd = h5("odd.h5", (file) => file.dataset("/coords", "i4", [3], Int32Array.of(1, 2, 3)));
  await assert.rejects(readPlaces(disk, odd, "A"), FormatError);
});

Deno.test("Scores are put onto their slide: µm and centres become corners; what is of another slide or beyond it is refused", async () => {
  const fit = async (path: string, more: Partial<ScoreRequest> = {}, options = {}, name = "A") =>
    fitScores(await read(path, more), slide, name, { missing: "fail", ...options });
  const own = await fit(PATCHES);
  assert.deepEqual([[...own.coords], own.side, own.names, own.notes], [COORDS, 256, ["x0y0", "x256y0", "x0y256"], []]);
  const stamp = h5("stamp.h5", (file) => {
    file.dataset("/attention", "f4", [2], Float32Array.of(1, 2));
    file.dataset("/coords", "f4", [2, 2], Float32Array.of(0, 0, 128, 64));
    file.attribute("/", "unit", "um");
    file.attribute("/", "tile_size_um", 128, "f8");
  });
  const um = await fit(stamp);
  assert.deepEqual([[...um.coords], um.side], [[0, 0, 256, 128], 256]);
  assert.equal((await fit(stamp, {}, { mpp: 0.25 })).side, 512);
  const centres = h5("centres.h5", (file) => {
    file.dataset("/s", "f4", [1], Float32Array.of(1));
    file.dataset("/coords", "i4", [1, 2], Int32Array.of(50, 60));
    for (const [key, value] of Object.entries({ patch_size_level0: 100, coords_of: "centre" })) {
      file.attribute("/coords", key, value);
    }
  });
  assert.deepEqual([...(await fit(centres)).coords], [0, 10]);
  const skip = text("nan.csv", "x,y,a,b\n0,0,1,nan\n9,9,2,3\n");
  const kept = await fit(skip, {}, { missing: "skip", side: 10 });
  assert.deepEqual([[...kept.coords], [...kept.columns.get("a")!]], [[9, 9], [2]]);
  assert.match(kept.notes.join(), /1 tile without a finite score left out/);
  const tiny = h5("tiny.h5", (file) => {
    file.dataset("/s", "f4", [1], Float32Array.of(1));
    file.dataset("/coords", "i4", [1, 2], Int32Array.of(0, 0));
    for (const [key, value] of Object.entries({ patch_size_level0: 9, name: "B" })) {
      file.attribute("/coords", key, value);
    }
  });
  const refused: [Promise<unknown>, string, RegExp][] = [
    [fit(skip, {}, { side: 10 }), "scores-nan", /1 of 2 tiles have no finite score, the first, row 0, has NaN in b/],
    [
      fit(text("far.csv", "x,y,s\n0,0,1\n1000,0,2\n"), {}, { side: 10 }),
      "coordinates-outside",
      /1 of 2 tiles .* row 1, at 1000, 0/,
    ],
    [fit(text("neg.csv", "x,y,s\n-10,0,1\n"), {}, { side: 10 }), "coordinates-outside", /at -10, 0/],
    [fit(text("nan2.csv", "x,y,s\nnan,0,1\n"), {}, { side: 10 }), "coordinates-outside", /at NaN, 0/],
    [fit(text("side.csv", "x,y,s\n0,0,1\n64,0,1\n64,192,1\n")), "no-side", /nothing says how large a tile is/],
    [fit(tiny), "other-slide", /they are of the slide B, expected A/],
    [
      fit(text("none.csv", "x,y,s\n1,1,nan\n"), {}, { side: 10, missing: "skip" }),
      "no-tiles",
      /none of 1 tile has a score/,
    ],
    [
      (async () => {
        const smaller = { ...slide, levels: [{ width: 999, height: 800, downsample: 1 }] } as typeof slide;
        return fitScores(await read(PATCHES), smaller, "A", { missing: "fail" });
      })(),
      "other-slide",
      /of a slide of 1000x800 pixels, expected 999x800/,
    ],
  ];
  for (const [act, code, why] of refused) {
    await assert.rejects(act, (error: DataError) => {
      assert.match(error.message, why);
      return error instanceof DataError && error.code === code && error.hint !== undefined;
    });
  }
  await assert.rejects(fit("side.csv"), (error: DataError) => /--tile-side.*64 is the smallest step/.test(error.hint!));
  // Of the same size under another name: it may be the same slide.
  assert.match((await fit(PATCHES, {}, {}, "renamed")).notes.join(), /a slide called A, of the same size/);
  assert.deepEqual(parseRange("0, 1.5"), [0, 1.5]);
  for (const range of ["", "1", "1,1", "2,1", "0,x", "0,1,2", "0,", "0,Infinity"]) {
    assert.throws(() => parseRange(range), ConfigError, range);
  }
});
