import assert from "node:assert/strict";
import { ConfigError, DataError } from "../../src/core/errors.ts";
import { expression } from "../../src/data/counts.ts";
import { checkDenied, SAME_SPECIMEN } from "../../src/data/deny_list.ts";
import { donorGroups, known, type SampleInfo } from "../../src/data/donors.ts";
import { digestSample, findDuplicates } from "../../src/data/duplicates.ts";
import { describeLeakage, describeSplits, leakage, refuseLeakage } from "../../src/data/leakage.ts";
import { dense, toCsr } from "../../src/data/matrix.ts";
import { holdOut, kFold, leaveOneOut, shuffleSplit } from "../../src/data/splits.ts";
import { mix } from "../../src/data/image/stripes.ts";

const range = (n: number) => [...Array(n).keys()];

const SAMPLES: SampleInfo[] = [
  { id: "A1", dataset: "Colon", patient: "P1" },
  { id: "A2", dataset: "colon ", patient: " p1" },
  { id: "A3", dataset: "Colon", patient: "P2" },
  { id: "B1", dataset: "Lung", patient: "  " },
  { id: "B2", dataset: "Lung", patient: "NaN" },
  { id: "B3", dataset: "Lung", patient: "P1" },
  { id: "C1" },
  { id: "C2" },
];

Deno.test("shuffleSplit() gives the reference's folds", () => {
  const fold = shuffleSplit(10, 1);
  assert.deepEqual([[...fold.test], [...fold.train]], [[2, 9], [6, 4, 0, 3, 1, 7, 8, 5]]);
  assert.deepEqual([shuffleSplit(13, 0).train.length, shuffleSplit(13, 0).test.length], [10, 3]);
});

Deno.test("donorGroups() groups by dataset and patient, the unnamed of a dataset together", () => {
  const groups = donorGroups(SAMPLES);
  assert.deepEqual(groups.map((group) => [group.samples, group.named]), [
    [["A1", "A2"], true],
    [["A3"], true],
    [["B1", "B2"], false],
    [["B3"], true],
    [["C1"], false],
    [["C2"], false],
  ]);
  assert.deepEqual(donorGroups(SAMPLES, [["A3", "C1"], ["C2", "C1"]])[1]!.samples, ["A3", "C1", "C2"]);
  assert.deepEqual([known(" x  y "), known("n/a"), known(undefined)], ["x y", undefined, undefined]);
  assert.throws(() => donorGroups([{ id: "A" }, { id: "A" }]), DataError);
});

Deno.test("kFold(), leaveOneOut() and holdOut() keep donors whole and use every sample", () => {
  const samples = range(40).map((i) => ({ id: `S${i}`, dataset: "D", patient: `P${mix(i) % 13}` }));
  const groups = donorGroups(samples);
  const folds = kFold(groups, 5, 3);
  assert.deepEqual(folds.flatMap((fold) => fold.test).sort(), samples.map((s) => s.id).sort());
  for (const fold of [...folds, ...leaveOneOut(groups), holdOut(groups, 0.25, 7)]) {
    assert.ok(leakage(fold, samples).clean, fold.name);
    assert.equal(fold.train.length + fold.test.length, 40);
  }
  const sizes = folds.map((fold) => fold.test.length);
  assert.ok(Math.max(...sizes) - Math.min(...sizes) <= Math.max(...groups.map((group) => group.samples.length)));
  assert.deepEqual(kFold(groups, 5, 3), folds);
  assert.notDeepEqual(kFold(groups, 5, 4), folds);
  assert.ok(Math.abs(holdOut(groups, 0.25, 7).test.length - 10) <= 3);
  assert.throws(() => kFold(groups, groups.length + 1), ConfigError);
  assert.throws(() => kFold(groups, 1), ConfigError);
  assert.throws(() => leaveOneOut(groups.slice(0, 1)), ConfigError);
  assert.throws(() => holdOut(groups.slice(0, 1), 0.5), ConfigError);
  for (const share of [0, 1]) assert.throws(() => holdOut(groups, share), ConfigError);
});

Deno.test("leakage() finds samples, donors and content on both sides, and says what it cannot tell", () => {
  const duplicates = [{ a: "C1", b: "A3", kind: "counts" as const, share: 1 }];
  const split = { name: "mine", train: ["A1", "B1", "C1"], test: ["A2", "A3", "B3", "C1", "X"] };
  const report = leakage(split, SAMPLES, duplicates);
  assert.equal(report.clean, false);
  assert.deepEqual(report.samples, ["C1"]);
  assert.deepEqual(report.donors.map(({ train, test }) => [train, test]), [[["A1"], ["A2"]], [["C1"], ["C1"]]]);
  assert.deepEqual([report.duplicates, report.unverified, report.unknown], [duplicates, ["B3", "C1", "X"], ["X"]]);
  assert.equal(describeLeakage(report).length, 6);
  const both = describeSplits([report, { ...report, split: "b" }], (line, { split }) => `${split}: ${line}`);
  assert.deepEqual(both.map((line) => line.slice(0, line.indexOf(" "))), [
    ...new Array(4).fill("mine:"),
    ...new Array(4).fill("b:"),
    "cannot",
    "no",
  ]);
  assert.throws(() => refuseLeakage(report), /mine: C1 is trained and tested on/);
  refuseLeakage(leakage({ name: "fine", train: ["A1", "A2"], test: ["A3"] }, SAMPLES));
});

Deno.test("Equal content is found whatever the order, the names and the layout", () => {
  const table = (name: string, seed: number, n: number) =>
    expression(
      name,
      range(n).map((i) => `${name}-${i}`),
      range(30).map((j) => `g${j}`),
      dense(n, 30, range(n * 30).map((k) => mix(k + seed * 7919) % 5)),
    );
  const one = table("ONE", 1, 12);
  const rows = range(12).reverse();
  const flipped = dense(
    12,
    30,
    rows.flatMap((i) => range(30).reverse().map((j) => one.matrix.data[i * 30 + j]!)),
  );
  const copy = expression("COPY", rows.map(String), range(30).reverse().map((j) => `G${j}`), toCsr(flipped));
  const part = {
    ...one,
    sample: "PART",
    spots: one.spots.slice(0, 6),
    matrix: dense(6, 30, one.matrix.data.slice(0, 180)),
  };
  const found = findDuplicates([
    digestSample(one),
    digestSample(table("TWO", 2, 12)),
    digestSample(copy),
    digestSample(part),
  ]);
  assert.deepEqual(found, [
    { a: "ONE", b: "COPY", kind: "counts", share: 1 },
    { a: "ONE", b: "PART", kind: "spots", share: 1 },
    { a: "COPY", b: "PART", kind: "spots", share: 1 },
  ]);
  const [p, q] = [digestSample(one, "i"), digestSample(table("TWO", 2, 12), "i")];
  assert.equal(findDuplicates([p, q])[0]!.kind, "image");
  const changed = dense(12, 30, one.matrix.data.map((v, k) => k === 0 ? v + 1 : v));
  assert.notEqual(digestSample({ ...one, matrix: changed }).counts, p.counts);
});

Deno.test("Denied samples are refused unless allowed by name", () => {
  assert.throws(() => checkDenied(["TENX1", "NCBI784"]), /NCBI784: image and spots are misaligned/);
  assert.equal(checkDenied(["NCBI784", "TENX122"], ["NCBI784"]).length, 2);
  assert.deepEqual(checkDenied(["TENX1"]), []);
  const own = [{ id: "MINE", reason: "torn", source: "me" }];
  assert.throws(() => checkDenied(["MINE"], [], own), DataError);
  const groups = donorGroups([{ id: "TENX155", dataset: "x" }, { id: "TENX128", dataset: "y" }], SAME_SPECIMEN);
  assert.equal(groups.length, 1);
});
