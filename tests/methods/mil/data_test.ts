/** Labels, folds and bags: what other programs store is read, and what cannot be used is named with its place. */

import assert from "node:assert/strict";
import { DataError, FormatError, LimitError } from "../../../src/core/errors.ts";
import { Rng } from "../../../src/core/rng.ts";
import { openFeatures } from "../../../src/io/features.ts";
import type { Disk } from "../../../src/io/disk.ts";
import { featureFilesOf, findFeatureFiles } from "../../../src/io/feature_folder.ts";
import { disk } from "../../../src/io/fs.ts";
import { MemoryStorage } from "../../../src/io/hdf5/h5_library.ts";
import { npyHeader } from "../../../src/io/npy.ts";
import { mostRows, mostSlides, readBatch } from "../../../src/methods/mil/batch.ts";
import { bagRows, bagsOf, readRows } from "../../../src/methods/mil/bags.ts";
import { poolFiles } from "../../../src/data/cohort/pooled.ts";
import { RowCache } from "../../../src/methods/mil/row_cache.ts";
import { epochOrder, sampleRows } from "../../../src/methods/mil/sampling.ts";
import { splitBags } from "../../../src/methods/mil/split.ts";
import { mutate } from "../../io/mutate.ts";

const fixture = (name: string) => new URL(`../../fixtures/slide_features/${name}`, import.meta.url).pathname;
const value = (row: number, column: number) => ((5 * row + column) % 17) / 8 - 1;
const all = Array.from({ length: 60 }, (_, i) => value(Math.floor(i / 5), i % 5));

Deno.test("openFeatures() reads one slide as TRIDENT, CLAM, STAMP and torch.save store it", async () => {
  const names = ["trident.h5", "nested.h5", "stamp.h5", "clam.pt", "batched.pt", "named.pt", "strided.pt"];
  for (const name of names) {
    const file = await openFeatures(disk.open(fixture(name), "read"));
    assert.deepEqual([file.count, file.dim], [12, 5], name);
    assert.deepEqual([...await file.read()], all, name);
    assert.deepEqual([...await file.read(7, 10)], all.slice(35, 50), name);
    file.close();
  }
  await assert.rejects(openFeatures(disk.open(fixture("legacy.pt"), "read")), (error: FormatError) => {
    assert.match(error.message, /legacy\.pt.*legacy format/);
    assert.match(error.hint!, /torch\.save/);
    return error instanceof FormatError;
  });
  await assert.rejects(
    openFeatures(disk.open(fixture("whole_numbers.pt"), "read")),
    /whole_numbers\.pt: I64 \[12,2\], expected numbers \[n, d\]/,
  );
});

Deno.test("openFeatures() answers 200 mutations of PyTorch's files with a typed error or features", async () => {
  const seeds = ["clam.pt", "named.pt", "batched.pt"].map((name) => Deno.readFileSync(fixture(name)));
  let refused = 0;
  for (let i = 0; i < 200; i++) {
    try {
      const source = new MemoryStorage("mutant", mutate(seeds[i % seeds.length]!, new Rng(29, i), 2048));
      const file = await openFeatures(source);
      const n = Math.min(file.count, 10);
      if (file.dim < 1e6) assert.equal((await file.read(0, n)).length, n * file.dim);
      file.close();
    } catch (error) {
      const typed = [FormatError, DataError, LimitError].some((kind) => error instanceof kind);
      assert.ok(typed && (error as Error).message.includes("mutant"), `${i}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 20 && refused < 200, `${refused} were refused`);
});

/** Writes bags as npy files of rows whose elements are their place, and returns the folder. */
function folder(bags: Record<string, [rows: number, dim: number, spoil?: (x: Float32Array) => void]>): string {
  const path = Deno.makeTempDirSync();
  for (const [name, [rows, dim, spoil]] of Object.entries(bags)) {
    const x = Float32Array.from({ length: rows * dim }, (_, i) => i);
    spoil?.(x);
    const header = npyHeader("f4", [rows, dim]);
    const bytes = new Uint8Array(header.length + 4 * x.length);
    bytes.set(header);
    bytes.set(new Uint8Array(x.buffer), header.length);
    Deno.writeFileSync(`${path}/${name}.npy`, bytes);
  }
  return path;
}

/** Bags of slides `CASE/SLIDE`, a slide or a case each. */
async function open(path: string, wanted: readonly string[], level: "slide" | "case" = "slide", strict = true) {
  const slides = wanted.map((one) => one.split("/") as [string, string]);
  const files = findFeatureFiles(disk, path);
  const pooled = await poolFiles(disk, { where: path, files }, slides.map(([, slide]) => slide), { strict });
  const there = slides.filter(([, slide]) => pooled.slides.has(slide));
  const named = Map.groupBy(there, ([owner, slide]) => level === "case" ? owner : slide);
  const units = [...named].map(([name, own]) => ({ name, case: own[0]![0], slides: own.map(([, slide]) => slide) }));
  return { ...bagsOf(units, pooled, files), pooled };
}

Deno.test("a bag is a slide, or all slides of a case; its rows are read over its files", async () => {
  const path = folder({ a: [3, 2], b: [4, 2], c: [1, 2], z: [5, 2] });
  try {
    const wanted = ["P/a", "P/b", "Q/c"];
    const slides = await open(path, wanted);
    assert.deepEqual(slides.bags.map(({ name, count }) => [name, count]), [["a", 3], ["b", 4], ["c", 1]]);
    assert.deepEqual([slides.dim, slides.pooled.unused, slides.pooled.leftOut], [2, ["z"], []]);
    const cases = await open(path, wanted, "case");
    const [bag] = cases.bags;
    assert.deepEqual(cases.bags.map(({ name, count }) => [name, count]), [["P", 7], ["Q", 1]]);
    // Rows 1 and 2 of a, then 0 and 3 of b.
    const rows = Uint32Array.of(1, 2, 3, 6);
    assert.deepEqual([...await readRows(disk, bag!, 2, rows)], [2, 3, 4, 5, 0, 1, 6, 7]);
    const read = (rows: Uint32Array) => readRows(disk, bag!, 2, rows);
    assert.deepEqual([...await bagRows(bag!, read).read(2, 4)], [4, 5, 0, 1]);
    assert.deepEqual([bagRows(bag!, read).ends, bagRows(bag!, read, true).ends], [undefined, [3, 7]]);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("RowCache keeps the slides that fit, and what it keeps is not read from files", async () => {
  const path = folder({ a: [3, 2], b: [4, 2] });
  try {
    const set = await open(path, ["P/a", "P/b"], "case");
    const opened: string[] = [];
    const counting = {
      ...disk,
      open: (file: string, mode: "read") => {
        opened.push(file.split("/").at(-1)!);
        return disk.open(file, mode);
      },
    } as typeof disk;
    const cached = async (bytes: number) => {
      const cache = new RowCache(bytes);
      const files = findFeatureFiles(disk, path);
      await poolFiles(disk, { where: path, files }, ["a", "b"], { onRows: (slide, block) => cache.add(slide, block) });
      opened.length = 0;
      const rows = await readRows(counting, set.bags[0]!, 2, Uint32Array.of(0, 2, 3, 6), cache);
      return { rows, opened: [...opened] };
    };
    const rows = await readRows(disk, set.bags[0]!, 2, Uint32Array.of(0, 2, 3, 6));
    assert.deepEqual(await cached(56), { rows, opened: [] });
    assert.deepEqual(await cached(55), { rows, opened: ["b.npy"] });
    assert.deepEqual(await cached(24), { rows, opened: ["b.npy"] });
    assert.deepEqual(await cached(23), { rows, opened: ["a.npy", "b.npy"] });
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("file and place of features that cannot be used are named, or their slides left out", async () => {
  const path = folder({
    a: [3, 2],
    wide: [3, 4],
    empty: [0, 2],
    nan: [9, 2, (x) => x[11] = NaN],
    far: [9, 2, (x) => x[16] = -Infinity],
  });
  try {
    const refuses = (slides: string[], text: RegExp) =>
      assert.rejects(open(path, slides), (error: DataError) => {
        assert.match(error.message, text);
        return error instanceof DataError && error.exitCode === 4;
      });
    await refuses(["P/a", "Q/wide"], /wide\.npy: the width of a row is 4, expected 2 as in .*a\.npy/);
    await refuses(["P/a", "Q/empty"], /empty\.npy: it has no rows/);
    await refuses(["P/a", "Q/nan"], /nan\.npy: row 5, column 1 is NaN, expected a finite number/);
    await refuses(["P/a", "Q/far"], /far\.npy: row 8, column 0 is -Infinity/);
    await refuses(["P/a", "Q/gone", "R/lost"], /2 of 3 slides have no file \(gone, lost\).*files of/);
    await assert.rejects(open(path, ["P/gone"], "slide", false), /none of 1 slides can be used \(gone: no file/);
    const { bags, pooled } = await open(path, ["P/a", "Q/empty", "R/nan", "S/gone", "T/far"], "slide", false);
    assert.deepEqual(bags.map(({ name }) => name), ["a"]);
    assert.deepEqual(
      pooled.leftOut.map(({ slide, code }) => [slide, code]),
      [["empty", "empty"], ["nan", "not-finite"], ["gone", "missing"], ["far", "not-finite"]],
    );
    // What changed after it was read once.
    const nan = { name: "nan", case: "P", count: 9, files: [{ path: `${path}/nan.npy`, slide: "nan", rows: 9 }] };
    const rows = Uint32Array.of(0, 5, 8);
    await assert.rejects(readRows(disk, nan, 2, rows), /nan\.npy: row 5, column 1 is NaN, expected a finite number/);
    await readRows(disk, nan, 2, Uint32Array.of(0, 8));
    Deno.copyFileSync(`${path}/a.npy`, `${path}/nan.npy`);
    await assert.rejects(readRows(disk, nan, 2, rows), /nan\.npy: it has 3 rows of 2, expected 9 of 2/);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("findFeatureFiles() knows CLAM's folders and refuses two files of a slide", () => {
  const path = Deno.makeTempDirSync();
  const names = (folder: string) =>
    [...findFeatureFiles(disk, folder)].map(([slide, file]) => [slide, file.slice(path.length)]);
  try {
    assert.throws(() => findFeatureFiles(disk, path), /holds no feature file/);
    assert.throws(() => findFeatureFiles(disk, `${path}/none`), /no such folder/);
    for (const folder of ["pt_files", "h5_files", "own"]) Deno.mkdirSync(`${path}/${folder}`);
    for (const file of ["pt_files/a.pt", "h5_files/a.h5", "own/TCGA.01.h5", "own/notes.txt", "own/.b.h5"]) {
      Deno.writeTextFileSync(`${path}/${file}`, "");
    }
    assert.deepEqual(names(path), [["a", "/h5_files/a.h5"]]);
    assert.deepEqual(names(`${path}/own/`), [["TCGA.01", "/own/TCGA.01.h5"]]);
    assert.throws(() => findFeatureFiles(disk, `${path}/own/notes.txt`), /it is a file/);
    assert.deepEqual([...featureFilesOf(disk, [path, `${path}/own`, path]).keys()], ["a", "TCGA.01"]);
    Deno.mkdirSync(`${path}/other`);
    Deno.writeTextFileSync(`${path}/other/a.npy`, "");
    assert.throws(
      () => featureFilesOf(disk, [path, `${path}/other`]),
      /Cannot find features of slide a: .*h5_files\/a\.h5 and .*other\/a\.npy, expected one file/,
    );
    for (const file of ["x.npy", "x_coords.npy", "y_coords.npy"]) Deno.writeTextFileSync(`${path}/own/${file}`, "");
    // The coordinates that convert writes beside plain features are those of a slide, not a slide.
    assert.deepEqual(names(`${path}/own`).map(([slide]) => slide), ["TCGA.01", "x", "y_coords"]);
    Deno.writeTextFileSync(`${path}/own/TCGA.01.pt`, "");
    assert.throws(
      () => findFeatureFiles(disk, `${path}/own`),
      /slide TCGA\.01 has TCGA\.01\.h5 and TCGA\.01\.pt, expected one/,
    );
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("splitBags() keeps cases whole and says what a fold lacks", () => {
  const bags = ["P1", "P2", "Q", "R"].map((name) => ({ name, case: name[0]! }));
  type Parts = ("train" | "val" | "test" | undefined)[];
  const classes = { kind: "classification", classes: ["0", "1", "2"], labels: [0, 0, 1, 2] } as const;
  const survival = { kind: "survival", times: [1, 2, 3, 4], events: [0, 0, 1, 1] } as const;
  const split = splitBags(bags, classes, { name: "fold_0", parts: ["train", "train", "train", "test"] });
  assert.deepEqual(split, { train: [0, 1, 2], val: [], test: [3], unseen: ["2"] });
  const refuses = (parts: Parts, text: RegExp, targets: Parameters<typeof splitBags>[1] = classes) =>
    assert.throws(() => splitBags(bags, targets, { name: "fold_0", parts }), text);
  refuses(["train", "test", "train", "train"], /fold_0: case P is in train and test, expected every case on one side/);
  refuses(["train", "train", "test", "test"], /all 2 bags to train on are 0, expected two classes/);
  refuses(["train", "train", "train", "val"], /no bag is in its test part/);
  refuses([undefined, undefined, undefined, "test"], /no bag is in its train part/);
  refuses(["train", "train", "test", "test"], /no event among 2 bags to train on, expected one or more/, survival);
  assert.equal(splitBags(bags, survival, { name: "f", parts: ["test", "test", "train", "train"] }).train.length, 2);
});

Deno.test("sampleRows() draws rows without replacement, by seed, bag and epoch alone", () => {
  const key = { most: 50, seed: 3, bag: "a", epoch: 2 };
  const rows = sampleRows(1000, key);
  assert.deepEqual([rows.length, new Set(rows).size], [50, 50]);
  assert.ok(rows.every((row, i) => row < 1000 && (i === 0 || row > rows[i - 1]!)));
  assert.deepEqual(sampleRows(1000, key), rows);
  for (const other of [{ seed: 4 }, { bag: "b" }, { epoch: 3 }]) {
    assert.notDeepEqual(sampleRows(1000, { ...key, ...other }), rows);
  }
  assert.deepEqual([...sampleRows(3, key)], [0, 1, 2]);
  // Every row is as likely: 600 draws of 5 of 10, each row about 300 times with a deviation of 12.
  const hits = new Float64Array(10);
  for (let epoch = 0; epoch < 600; epoch++) for (const row of sampleRows(10, { ...key, most: 5, epoch })) hits[row]!++;
  assert.ok(hits.every((count) => Math.abs(count - 300) < 60), `${hits}`);
});

Deno.test("epochOrder() takes each bag once, or draws classes evenly", () => {
  const labels = Uint8Array.from({ length: 200 }, (_, i) => (i < 10 ? 1 : 0));
  const options = { seed: 1, epoch: 0 };
  const once = epochOrder(labels, { ...options, balance: "none" });
  assert.deepEqual([...once].sort((a, b) => a - b), Array.from({ length: 200 }, (_, i) => i));
  assert.deepEqual(epochOrder(labels, { ...options, balance: "loss" }), once);
  assert.notDeepEqual(epochOrder(labels, { ...options, epoch: 1, balance: "none" }), once);
  const drawn = epochOrder(labels, { ...options, balance: "sampler" });
  const rare = drawn.filter((bag) => bag < 10).length;
  assert.ok(drawn.length === 200 && rare > 70 && rare < 130, `${rare} of 200 are of the rare class`);
  assert.deepEqual(epochOrder(labels, { ...options, balance: "sampler" }), drawn);
});

Deno.test("epochOrder()'s sampler draws every bag of a class as often, in any order and apart from epoch to epoch", () => {
  // 7 of 40 bags are of the rare class: each of them is drawn with 1/14, each other with 1/66.
  const labels = Uint8Array.from({ length: 40 }, (_, i) => (i % 6 === 0 ? 1 : 0));
  const counts = new Float64Array(40);
  const follows = [[0, 0], [0, 0]];
  const epochs = 2000;
  let before: Uint32Array | undefined;
  let same = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = epochOrder(labels, { balance: "sampler", seed: 3, epoch });
    order.forEach((bag, i) => {
      counts[bag]!++;
      if (i > 0) follows[labels[order[i - 1]!]!]![labels[bag]!]!++;
      if (before?.[i] === bag) same++;
    });
    before = order;
  }
  const rare = labels.reduce((a, b) => a + b, 0);
  const draws = 40 * epochs;
  const share = (bag: number) => draws / 2 / (labels[bag] ? rare : 40 - rare);
  // Chi-square of 39 degrees of freedom: above 73 once in a thousand.
  const chi = counts.reduce((sum, count, bag) => sum + (count - share(bag)) ** 2 / share(bag), 0);
  assert.ok(chi < 73, `chi-square is ${chi}`);
  // A class follows the other as often as itself.
  for (const each of follows.flat()) assert.ok(Math.abs(each / (39 * epochs) - 0.25) < 0.01, `${each}`);
  const wanted = draws * 0.25 * (1 / rare + 1 / (40 - rare));
  assert.ok(
    Math.abs(same - wanted) < 5 * Math.sqrt(wanted),
    `${same} draws are those of the epoch before, not ${wanted}`,
  );
});

Deno.test("readBatch() puts bags one behind another, those of a large bag drawn by seed, name and epoch", async () => {
  const path = folder({ a: [3, 2], b: [40, 2] });
  try {
    const set = await open(path, ["P/a", "Q/b"]);
    const options = { most: 4, seed: 1, epoch: 0, size: 3 };
    const { x, bound } = await readBatch((bag, rows) => readRows(disk, bag, set.dim, rows), set, [0, 1], options);
    assert.deepEqual([...bound], [0, 3, 7, 7]);
    const drawn = [...sampleRows(40, { ...options, bag: "b" })];
    assert.deepEqual([...x], [0, 1, 2, 3, 4, 5, ...drawn.flatMap((row) => [2 * row, 2 * row + 1])]);
    assert.deepEqual((await readBatch((bag, rows) => readRows(disk, bag, set.dim, rows), set, [0, 1], options)).x, x);
    assert.notDeepEqual(
      (await readBatch((bag, rows) => readRows(disk, bag, set.dim, rows), set, [0, 1], { ...options, epoch: 1 })).x,
      x,
    );
    assert.deepEqual([mostRows(set, 2), mostRows(set, 2, 4)], [80, 8]);
    // A case that is the mean of its slides: where each begins, and what it weighs.
    const cases = await open(path, ["P/a", "P/b", "Q/a"], "case");
    const { slides } = await readBatch((bag, rows) => readRows(disk, bag, set.dim, rows), cases, [1, 0], {
      ...options,
      most: 100,
      slides: mostSlides(cases, 3),
    });
    assert.deepEqual([...slides!.bound], [0, 3, 6, 46, 46, 46, 46]);
    assert.deepEqual([...slides!.first], [0, 1, 3, 3]);
    assert.deepEqual([...slides!.weight], [1, 0.5, 0.5, 0, 0, 0]);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("readRows() reads a bag of 300,000 rows in blocks of 4 MiB", async () => {
  const path = folder({ a: [300_000, 64] });
  let largest = 0;
  const watched: Disk = {
    ...disk,
    open(file, mode) {
      const inner = disk.open(file, mode);
      return {
        ...inner,
        read(at, into) {
          largest = Math.max(largest, into.length);
          return inner.read(at, into);
        },
      };
    },
  };
  try {
    const bag = { name: "a", case: "P", count: 300_000, files: [{ path: `${path}/a.npy`, slide: "a", rows: 300_000 }] };
    const rows = sampleRows(bag!.count, { seed: 0, bag: "a", epoch: 0 });
    const x = await readRows(watched, bag!, 64, rows);
    rows.forEach((row, i) => assert.equal(x[64 * i + 63], Math.fround(64 * row + 63)));
    assert.ok(largest > 2 ** 20 && largest <= 2 ** 22, `${largest} bytes were read at once`);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});
