/** Few-shot probes, slide probes, paired differences and folds. */

import assert from "node:assert/strict";
import { ConfigError, DataError, FormatError, LimitError, ShapeError } from "../../src/core/errors.ts";
import { benchTasks, dataTask, readPanel } from "../../src/eval/bench/bench_task.ts";
import { leaveOut, parseBenchSplit } from "../../src/eval/bench/folds.ts";
import { kshot } from "../../src/eval/kshot.ts";
import { paired } from "../../src/eval/paired.ts";
import { PUBLISHED, PUBLISHED_FOLDS, PUBLISHED_TASKS } from "../../src/eval/bench/published.ts";
import { slideProbe } from "../../src/eval/slide_probe.ts";
import { findEncoder } from "../../src/models/encoder_registry.ts";
import { pythonJson, safeName } from "../../src/eval/bench/bench_files.ts";
import type { Disk } from "../../src/io/disk.ts";
import { noise } from "./inputs.ts";

/** Rows of `classes` clouds `apart` from each other. */
function clouds(seed: number, rows: number, classes: number, apart: number) {
  const features = noise(seed, rows, 6);
  const labels = Array.from({ length: rows }, (_, r) => `class ${r % classes}`);
  labels.forEach((_, r) => features.data[6 * r + r % classes]! += apart);
  return { features, labels };
}

Deno.test("kshot() learns more from more labels, and everything of classes that lie apart", () => {
  const [train, test] = [clouds(1, 300, 3, 0.6), clouds(2, 150, 3, 0.6)];
  const { classes, chance, scores, leftOut } = kshot(train, test, { draws: 20 });
  assert.deepEqual([classes.length, chance, leftOut], [3, 1 / 3, 0]);
  assert.deepEqual(scores.map(({ k }) => k), [1, 2, 4, 8, 16, 32]);
  const means = scores.map(({ mean }) => mean!);
  assert.ok(means[0]! > chance && means[5]! > means[0]! + 0.1 && means[5]! < 1, String(means));
  for (const score of scores) {
    assert.ok(score.mean !== null && score.low <= score.mean && score.mean <= score.high && score.draws === 20);
  }
  assert.deepEqual(kshot(train, test, { draws: 20 }).scores, scores);
  assert.notDeepEqual(kshot(train, test, { draws: 20, seed: 1 }).scores, scores);
  const apart = kshot(clouds(1, 60, 2, 9), clouds(2, 30, 2, 9), { shots: [8], draws: 5 }).scores[0]!;
  assert.equal(apart.mean, 1);
});

Deno.test("kshot() draws the same rows whatever the features are, and says by a hash that it did", () => {
  const [train, test] = [clouds(1, 120, 3, 0.6), clouds(2, 60, 3, 0.6)];
  const other = (of: typeof train) => ({ ...of, features: noise(9, of.features.rows, 4) });
  const options = { shots: [1, 4], draws: 3 };
  const { drawsSha256, scores } = kshot(train, test, options);
  const own = kshot(other(train), other(test), options);
  assert.equal(own.drawsSha256, drawsSha256);
  assert.notDeepEqual(own.scores, scores);
  assert.deepEqual(scores.map(({ values }) => values!.length), [3, 3]);
  assert.notEqual(kshot(train, test, { ...options, seed: 1 }).drawsSha256, drawsSha256);
  assert.notEqual(kshot({ ...train, labels: [...train.labels].reverse() }, test, options).drawsSha256, drawsSha256);
});

Deno.test("kshot() of labels that mean nothing stays at chance", () => {
  const shuffled = (seed: number, rows: number) => ({
    features: noise(seed, rows, 6),
    labels: Array.from({ length: rows }, (_, r) => `${r % 2}`),
  });
  const { scores } = kshot(shuffled(1, 200), shuffled(2, 400), { shots: [16], draws: 50 });
  assert.ok(Math.abs(scores[0]!.mean! - 0.5) < 0.05, JSON.stringify(scores));
});

Deno.test("kshot() says why there is no score: too few rows, a single class, nothing to test on", () => {
  const train = clouds(1, 30, 3, 1);
  const few = kshot(train, clouds(2, 30, 3, 1), { shots: [8, 16], draws: 3 });
  assert.ok(few.scores[0]!.mean !== null);
  assert.match(few.scores[1]!.reason!, /class 0 has 10 training rows/);
  const only = { ...train, labels: train.labels.map(() => "a") };
  assert.match(kshot(only, only, { shots: [1] }).scores[0]!.reason!, /fewer than two classes/);
  const strange = kshot(train, only, { shots: [1] });
  assert.deepEqual([strange.leftOut, strange.scores[0]!.mean], [30, null]);
  assert.throws(() => kshot(train, train, { shots: [0] }), LimitError);
  assert.throws(() => kshot({ ...train, labels: [] }, train), ShapeError);
});

Deno.test("slideProbe() tells slides of different colour apart, and does not where there is no difference", async () => {
  const slides = Array.from({ length: 400 }, (_, r) => `S${r % 4}`);
  const same = await slideProbe(noise(1, 400, 10), slides);
  assert.equal(same.slides, 4);
  assert.ok(Math.abs(same.chance - 0.25) < 1e-12 && Math.abs(same.accuracy! - 0.25) < 0.2, JSON.stringify(same));
  const stained = noise(1, 400, 10);
  for (let r = 0; r < 400; r++) stained.data[10 * r + r % 4]! += 2;
  assert.ok((await slideProbe(stained, slides)).accuracy! > 0.9);
  const one = await slideProbe(noise(1, 20, 3), Array(20).fill("S"));
  assert.deepEqual([one.accuracy, one.reason], [null, "fewer than two slides"]);
});

Deno.test("paired() is the mean difference, with an interval that narrows with the spread", () => {
  const a = [0.1, 0.5, 0.9, 0.3, 0.7];
  const got = paired(a, a.map((value) => value + 0.05));
  assert.ok(Math.abs(got.mean - 0.05) < 1e-12 && got.std < 1e-12);
  assert.ok(got.interval!.every((edge) => Math.abs(edge - 0.05) < 1e-12));
  assert.deepEqual([got.better, got.worse, got.n], [5, 0, 5]);
  const wide = paired(a, [0.4, 0.3, 0.9, 0.4, 0.8]);
  assert.ok(wide.interval![0] < 0 && wide.interval![1] > wide.mean && wide.interval![0] < wide.mean);
  assert.deepEqual(wide.interval, paired(a, [0.4, 0.3, 0.9, 0.4, 0.8]).interval);
  // Of 1000 differences the interval is that of the normal distribution, mean +- 1.96 std / sqrt(n).
  const many = noise(3, 1000, 1).data;
  const zero = [...many].map(() => 0);
  const { interval, mean, std } = paired(zero, [...many]);
  interval!.forEach((edge, side) => {
    const want = mean + (side ? 1.96 : -1.96) * std / Math.sqrt(1000);
    assert.ok(Math.abs(edge - want) < 0.1 * std / Math.sqrt(1000), `${edge}, ${want} wanted`);
  });
  // Two folds: an interval would be their two values.
  for (const n of [1, 2, 4]) {
    const few = paired(a.slice(0, n), a.slice(0, n).map((value, i) => value + i));
    assert.equal(few.interval, undefined);
    assert.equal(few.reason, `${n} ${n === 1 ? "fold" : "folds"}, an interval takes 5`);
  }
  const oneDonor = paired(a, a.map((value, i) => value + i), { units: { count: 2, name: "donors" } });
  assert.deepEqual([oneDonor.interval, oneDonor.reason], [undefined, "2 donors, an interval takes 5"]);
  assert.throws(() => paired([], []), ShapeError);
  assert.throws(() => paired([1], [1, 2]), ShapeError);
});

Deno.test("leaveOut() keeps donors, organs and technologies whole", () => {
  const samples = [
    { id: "A", dataset: "D", patient: "1", organ: "Breast", technology: "Visium" },
    { id: "B", dataset: "D", patient: "1", organ: "Breast", technology: "Xenium" },
    { id: "C", dataset: "D", patient: "2", organ: "Lung", technology: "Visium" },
  ];
  const tests = (by: Parameters<typeof leaveOut>[1]) => leaveOut(samples, by).map(({ test }) => test.join(""));
  assert.deepEqual(tests("donor"), ["AB", "C"]);
  assert.deepEqual(tests("organ"), ["AB", "C"]);
  assert.deepEqual(tests("technology"), ["AC", "B"]);
  assert.deepEqual(tests("sample"), ["A", "B", "C"]);
  for (const { train, test } of leaveOut(samples, "technology")) assert.equal(new Set([...train, ...test]).size, 3);
  assert.throws(() => leaveOut(samples.slice(0, 2), "organ"), /all samples are of Breast/);
  assert.throws(() => leaveOut([...samples, { id: "E", organ: " nan" }], "organ"), /E does not say/);
});

Deno.test("parseBenchSplit() takes columns by name and refuses paths that lead outside", () => {
  const head = "sample_id,patches_path,expr_path\n";
  assert.deepEqual(
    parseBenchSplit("\uFEFF,expr_path,sample_id,patches_path\r\n0,adata/X.h5ad,X,patches/X.h5\r\n", "s.csv"),
    [
      { id: "X", patches: "patches/X.h5", expression: "adata/X.h5ad" },
    ],
  );
  for (
    const [text, message] of [
      ["sample_id,patches_path\nX,p\n", /a column expr_path/],
      ["", /line 1 has nothing/],
      [`${head}X,../../etc/passwd,a\n`, /inside the task's folder/],
      [`${head}X,/etc/passwd,a\n`, /inside the task's folder/],
      [`${head}X,p,C:\\a\n`, /inside the task's folder/],
      [`${head}X,p,a\nX,p,a\n`, /line 3 has X again/],
      [`${head},p,a\n`, /no sample/],
    ] as const
  ) {
    assert.throws(
      () => parseBenchSplit(text, "s.csv"),
      (error) => error instanceof FormatError && message.test(error.message),
    );
  }
});

/** Files by path; a path that others begin with is a folder. */
function memory(files: Record<string, string>): Disk {
  const bytes = (path: string) => new TextEncoder().encode(files[path]);
  return {
    look(path: string) {
      if (path in files) return { kind: "file", size: bytes(path).length };
      const inside = Object.keys(files).filter((name) => name.startsWith(`${path}/`)).map((name) =>
        name.slice(path.length + 1).split("/")[0]!
      );
      return inside.length === 0 ? undefined : { kind: "folder", names: [...new Set(inside)].sort() };
    },
    open: (path: string) => ({
      name: path,
      size: () => bytes(path).length,
      read: (at: number, into: Uint8Array) => {
        const part = bytes(path).subarray(at, at + into.length);
        into.set(part);
        return part.length;
      },
      close: () => {},
    }),
  } as unknown as Disk;
}

const SPLIT = "sample_id,patches_path,expr_path\n";
const line = (id: string) => `${id},patches/${id}.h5,adata/${id}.h5ad\n`;
const task = (name: string) => ({
  [`b/${name}/adata/A.h5ad`]: "",
  [`b/${name}/adata/B.h5ad`]: "",
  [`b/${name}/patches/A.h5`]: "",
  [`b/${name}/splits/train_0.csv`]: SPLIT + line("A"),
  [`b/${name}/splits/test_0.csv`]: SPLIT + line("B"),
  [`b/${name}/var_50genes.json`]: '{"genes":["G1","G2"]}',
});

Deno.test("benchTasks() finds tasks by their splits, in order of numbers, and leaves caches alone", () => {
  const files = { ...task("IDC"), ...task("LUNG"), "b/fm_v1/uni.bin": "", "b/README.md": "" };
  const more = Object.fromEntries(
    [10, 2].flatMap((
      i,
    ) => [[`b/IDC/splits/train_${i}.csv`, SPLIT + line("B")], [`b/IDC/splits/test_${i}.csv`, SPLIT + line("A")]]),
  );
  const disk = memory({ ...files, ...more });
  const found = benchTasks(disk, "b/");
  assert.deepEqual(found.map(({ name }) => name), ["IDC", "LUNG"]);
  assert.deepEqual(found[0]!.folds.map(({ name }) => name), ["split0", "split2", "split10"]);
  assert.deepEqual(found[1]!.folds, [{ name: "split0", train: ["A"], test: ["B"] }]);
  assert.deepEqual(found[0]!.panel?.genes, ["G1", "G2"]);
  // Without patches a sample can still be joined with features that are there.
  assert.deepEqual(found[0]!.samples.map(({ patches }) => patches), ["b/IDC/patches/A.h5", undefined]);
  assert.deepEqual(benchTasks(disk, "b", ["LUNG"]).map(({ name }) => name), ["LUNG"]);
  assert.deepEqual(benchTasks(disk, "b/LUNG").map(({ name }) => name), ["LUNG"]);
  assert.throws(() => benchTasks(disk, "b", ["PRAD"]), ConfigError);
  assert.throws(() => benchTasks(disk, "b/fm_v1"), /no folder in it has splits/);
  assert.throws(() => benchTasks(disk, "b/none"), /Cannot find tasks in b\/none: there is no such folder/);
});

Deno.test("benchTasks() refuses folders that are not whole, and warns of a sample on both sides", () => {
  const files = task("T");
  const without = (path: string) => memory(Object.fromEntries(Object.entries(files).filter(([name]) => name !== path)));
  assert.throws(() => benchTasks(without("b/T/splits/test_0.csv"), "b"), /train_0.csv has no test_0.csv/);
  assert.throws(
    () => benchTasks(without("b/T/adata/B.h5ad"), "b"),
    (error) => error instanceof DataError && /B\.h5ad of sample B is missing/.test(error.message),
  );
  assert.throws(() => benchTasks(memory({ ...files, "b/T/splits/test_0.csv": SPLIT }), "b"), /names no sample/);
  const both = benchTasks(memory({ ...files, "b/T/splits/test_0.csv": SPLIT + line("A") }), "b");
  assert.deepEqual(both[0]!.warnings, ["split0: A is trained and tested on"]);
});

Deno.test("readPanel() refuses what is no list of genes", () => {
  const read = (text: string) => readPanel(memory({ "p.json": text }), "p.json");
  assert.deepEqual(read('{"genes":["B","A"]}').genes, ["B", "A"]);
  for (const text of ["[]", '{"genes":[]}', '{"genes":[1]}', '{"genes":["A","A"]}', "{", "null"]) {
    assert.throws(() => read(text), FormatError, text);
  }
});

Deno.test("dataTask() cuts by donor unless the folder has splits, and warns of donors on both sides", () => {
  const meta = (id: string, patient: string) => JSON.stringify({ id, patient, dataset_title: "D", organ: "Breast" });
  const files = {
    "d/st/A.h5ad": "",
    "d/st/B.h5ad": "",
    "d/st/C.h5ad": "",
    "d/metadata/A.json": meta("A", "1"),
    "d/metadata/B.json": meta("B", "1"),
    "d/metadata/C.json": meta("C", "2"),
  };
  const cut = dataTask(memory(files), ["d/"]);
  assert.deepEqual(cut.folds.map(({ train, test }) => [train.join(""), test.join("")]), [["C", "AB"], ["AB", "C"]]);
  assert.deepEqual([cut.name, cut.panel, cut.warnings.length], ["d", undefined, 0]);
  const splits = {
    ...files,
    "d/splits/train_0.csv": SPLIT + line("A") + line("C"),
    "d/splits/test_0.csv": SPLIT + line("B"),
  };
  const given = dataTask(memory(splits), ["d"]);
  assert.deepEqual(given.folds, [{ name: "split0", train: ["A", "C"], test: ["B"] }]);
  assert.match(given.warnings[0]!, /donor d \/ 1: A trained, B tested/);
  assert.equal(dataTask(memory(splits), ["d"], { leaveOut: "sample" }).folds.length, 3);
  assert.equal(dataTask(memory(splits), ["d"], { folds: 2 }).folds.length, 2);
  const unnamed = Object.fromEntries(Object.entries(files).filter(([path]) => path.startsWith("d/st/")));
  assert.deepEqual(dataTask(memory(unnamed), ["d"], { leaveOut: "sample" }).warnings, [
    "cannot tell the donors of A, B, C from those trained on: name each sample's patient in metadata/",
  ]);
  assert.throws(
    () => dataTask(memory({ ...splits, "d/splits/test_0.csv": SPLIT + line("Z") }), ["d"]),
    /sample Z has no/,
  );
});

Deno.test("the published table is whole: averages of its rows, names of the registry, means of single folds", () => {
  assert.deepEqual([PUBLISHED.length, PUBLISHED_TASKS.length], [26, 9]);
  for (const { name, registry, average, tasks } of PUBLISHED) {
    assert.equal(tasks.length, 9, name);
    assert.ok(Math.abs(tasks.reduce((a, b) => a + b) / 9 - average) < 2e-4, name);
    if (registry !== undefined) assert.equal(findEncoder(registry).name, registry);
  }
  for (const [task, rows] of Object.entries(PUBLISHED_FOLDS)) {
    const at = PUBLISHED_TASKS.indexOf(task);
    if (at < 0) continue;
    for (const [name, folds] of Object.entries(rows)) {
      const want = PUBLISHED.find((row) => row.name === name)!.tasks[at]!;
      assert.ok(Math.abs(folds.reduce((a, b) => a + b) / folds.length - want) < 2e-3, `${task} ${name}`);
    }
  }
});

Deno.test("pythonJson() sorts keys, indents by four and writes NaN bare", () => {
  const got = pythonJson({ b: [1, NaN, -0], a: { z: '\u00e9"', e: [] }, c: undefined, d: -Infinity, f: null });
  assert.equal(
    got,
    '{\n    "a": {\n        "e": [],\n        "z": "\u00e9\\""\n    },\n    "b": [\n        1,\n        NaN,\n        -0.0\n    ],\n' +
      '    "d": -Infinity,\n    "f": null\n}',
  );
  assert.equal(safeName("random:vit?a=1&b=2"), "random_vit_a=1_b=2");
  assert.equal(safeName("../x"), "__x");
});
