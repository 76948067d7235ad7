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
import { mostRows, readBatch } from "../../../src/methods/mil/batch.ts";
import { bagRows, openBags, readRows } from "../../../src/methods/mil/bags.ts";
import { classesOf, readLabels } from "../../../src/methods/mil/labels.ts";
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

const TABLE = `case_id\tslide_id\tER\tfold_1\tfold_0\tage
P1\ta\tpos\ttrain\ttest\t50
P1\tb\tpos\ttrain\ttest\t50
P2\t"c"\tneg\ttest\ttrain\t61
P3\td\t\ttest\ttrain\t61
P4\te\tpos\ttest\ttrain\t40
P5\tf\tneg\ttrain\ttest\t40
`;

Deno.test("readLabels() reads the table of Patho-Bench, with tabs, commas or semicolons", () => {
  for (
    const text of [
      TABLE,
      TABLE.replaceAll("\t", ","),
      TABLE.replaceAll("\t", ";"),
      `\uFEFF${TABLE.replaceAll("\n", "\r\n")}`,
    ]
  ) {
    const labels = readLabels(text, "k=all", { label: "ER" });
    assert.deepEqual(labels.slides.map(({ slide }) => slide), ["a", "b", "c", "e", "f"]);
    assert.deepEqual(labels.folds, ["fold_0", "fold_1"]);
    assert.deepEqual(labels.slides[2], { slide: "c", case: "P2", label: "neg", folds: ["train", "test"], line: 4 });
    assert.deepEqual([labels.unlabelled, labels.cases, labels.column], [["d"], true, "ER"]);
    assert.deepEqual(classesOf(labels), ["neg", "pos"]);
  }
  const plain = readLabels("Unnamed: 0,slide_id,label\n0,x,10\n1,y,9\n", "labels.csv");
  assert.deepEqual([plain.cases, plain.slides[0]!.case, classesOf(plain)], [false, "x", ["9", "10"]]);
});

Deno.test("readLabels() names file, line and what is wrong", () => {
  const refuses = (text: string, wanted: RegExp, kind: typeof DataError | typeof FormatError = DataError) =>
    assert.throws(() => readLabels(text, "t.csv", { label: "ER" }), (error: Error) => {
      assert.match(error.message, wanted);
      return error instanceof kind;
    });
  refuses("slide_id,label\na,1\n", /t\.csv: it has the columns slide_id, label, ER is missing/);
  refuses("", /columns none, slide_id and ER is missing/);
  refuses("slide_id,ER,ER\na,1,2\n", /line 1 names the column ER twice/, FormatError);
  refuses("slide_id,ER\na,1\nb\n", /line 3 has 1 fields, expected 2/, FormatError);
  refuses("slide_id,ER\n,1\n", /line 2 has no slide/, FormatError);
  refuses("slide_id,case_id,ER\na,,1\n", /line 2 has no case/, FormatError);
  refuses("slide_id,ER\na,1\nb,2\na,1\n", /slide a is in lines 2 and 4, expected once/);
  refuses("slide_id,ER\na,\n", /no slide has a ER/);
  refuses('slide_id,ER\n"a,1\n', /t\.csv as CSV: line 2/, FormatError);
  refuses(
    "slide_id,ER,fold_0\na,1,train\nb,2,Test\n",
    /line 3 has "Test" in fold_0, expected train, val, test/,
    FormatError,
  );
  refuses("slide_id,case_id,ER\na,P,1\nb,Q,1\nc,P,2\n", /case P has ER 1 and 2 in lines 2 and 4, expected one/);
  refuses(
    "slide_id,case_id,ER,fold_0,fold_1\na,P,1,train,test\nb,P,1,train,train\n",
    /case P is on both sides of fold_1: test and train in lines 2 and 3/,
  );
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

const table = (...rows: string[]) => readLabels(`slide_id,case_id,label\n${rows.join("\n")}\n`, "labels.csv");

Deno.test("openBags() makes a bag of each slide, or of all slides of a case, and tells what has no label", async () => {
  const path = folder({ a: [3, 2], b: [4, 2], c: [1, 2], z: [5, 2] });
  try {
    const labels = table("a,P,1", "b,P,1", "c,Q,0");
    const slides = await openBags(disk, path, labels);
    assert.deepEqual(slides.bags.map(({ name, count }) => [name, count]), [["a", 3], ["b", 4], ["c", 1]]);
    assert.deepEqual([slides.dim, slides.unused, slides.missing], [2, ["z"], []]);
    const cases = await openBags(disk, path, labels, { level: "case" });
    assert.deepEqual(cases.bags.map(({ name, count }) => [name, count]), [["P", 7], ["Q", 1]]);
    // Rows 1 and 2 of a, then 0 and 3 of b.
    const rows = await readRows(disk, cases.bags[0]!, 2, Uint32Array.of(1, 2, 3, 6));
    assert.deepEqual([...rows], [2, 3, 4, 5, 0, 1, 6, 7]);
    assert.deepEqual([...await bagRows(disk, cases.bags[0]!, 2).read(2, 4)], [4, 5, 0, 1]);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("openBags() and readRows() name the file and the place of what cannot be used", async () => {
  const path = folder({
    a: [3, 2],
    wide: [3, 4],
    empty: [0, 2],
    nan: [9, 2, (x) => x[11] = NaN],
    far: [9, 2, (x) => x[16] = -Infinity],
  });
  try {
    const refuses = (rows: string[], text: RegExp) =>
      assert.rejects(openBags(disk, path, table(...rows)), (error: DataError) => {
        assert.match(error.message, text);
        return error instanceof DataError;
      });
    await refuses(["a,P,1", "wide,Q,0"], /wide\.npy: rows of 4 numbers, expected 2 as in .*a\.npy/);
    await refuses(["a,P,1", "empty,Q,0"], /empty\.npy: it has no rows/);
    await refuses(
      ["a,P,1", "gone,Q,0", "lost,R,0"],
      /2 of 3 slides of labels\.csv have no file \(gone, lost\).*without a label/,
    );
    const partial = await openBags(disk, path, table("a,P,1", "gone,Q,0"), { complete: false });
    assert.deepEqual([partial.bags.length, partial.missing], [1, ["gone"]]);
    await assert.rejects(openBags(disk, path, table("gone,Q,0"), { complete: false }), /1 of 1 slides/);
    const { bags } = await openBags(disk, path, table("nan,P,1", "far,Q,0"));
    const rows = Uint32Array.of(0, 5, 8);
    await assert.rejects(
      readRows(disk, bags[0]!, 2, rows),
      /nan\.npy: row 5, column 1 is NaN, expected a finite number/,
    );
    await assert.rejects(readRows(disk, bags[1]!, 2, rows), /far\.npy: row 8, column 0 is -Infinity/);
    await readRows(disk, bags[0]!, 2, Uint32Array.of(0, 8));
    Deno.copyFileSync(`${path}/a.npy`, `${path}/nan.npy`);
    await assert.rejects(readRows(disk, bags[0]!, 2, rows), /nan\.npy: it has 3 rows of 2, expected 9 of 2/);
    Deno.truncateSync(`${path}/far.npy`, 140);
    await assert.rejects(readRows(disk, bags[1]!, 2, rows), /far\.npy/);
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
  const bag = (name: string, label: string) => ({ name, case: name[0]!, label, folds: [], count: 1, files: [] });
  const bags = [bag("P1", "0"), bag("P2", "0"), bag("Q", "1"), bag("R", "2")];
  const split = splitBags(bags, { name: "fold_0", parts: ["train", "train", "train", "test"] });
  assert.deepEqual(split, { train: [0, 1, 2], val: [], test: [3], unseen: ["2"] });
  const refuses = (parts: ("train" | "val" | "test" | undefined)[], text: RegExp) =>
    assert.throws(() => splitBags(bags, { name: "fold_0", parts }), text);
  refuses(["train", "test", "train", "train"], /fold_0: case P is in train and test, expected every case on one side/);
  refuses(["train", "train", "test", "test"], /all 2 bags to train on are 0, expected two classes/);
  refuses(["train", "train", "train", "val"], /no bag is in its test part/);
  refuses([undefined, undefined, undefined, "test"], /no bag is in its train part/);
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
    const set = await openBags(disk, path, table("a,P,1", "b,Q,0"));
    const options = { most: 4, seed: 1, epoch: 0 };
    const { x, bound } = await readBatch((bag, rows) => readRows(disk, bag, set.dim, rows), set, [0, 1], options, 3);
    assert.deepEqual([...bound], [0, 3, 7, 7]);
    const drawn = [...sampleRows(40, { ...options, bag: "b" })];
    assert.deepEqual([...x], [0, 1, 2, 3, 4, 5, ...drawn.flatMap((row) => [2 * row, 2 * row + 1])]);
    assert.deepEqual((await readBatch((bag, rows) => readRows(disk, bag, set.dim, rows), set, [0, 1], options)).x, x);
    assert.notDeepEqual(
      (await readBatch((bag, rows) => readRows(disk, bag, set.dim, rows), set, [0, 1], { ...options, epoch: 1 })).x,
      x,
    );
    assert.deepEqual([mostRows(set, 2), mostRows(set, 2, 4)], [80, 8]);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});

Deno.test("readRows() reads a bag of 300,000 rows in blocks of 16 MiB", async () => {
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
    const { bags: [bag] } = await openBags(watched, path, table("a,P,1"));
    const rows = sampleRows(bag!.count, { seed: 0, bag: "a", epoch: 0 });
    const x = await readRows(watched, bag!, 64, rows);
    rows.forEach((row, i) => assert.equal(x[64 * i + 63], Math.fround(64 * row + 63)));
    assert.ok(largest > 2 ** 20 && largest <= 2 ** 24, `${largest} bytes were read at once`);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
});
