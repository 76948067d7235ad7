/** Training sets: expression against plain loops, donors held out, what is dropped and refused, and what must not matter. */

import assert from "node:assert/strict";
import { openTrainingSet, type TrainingSetOptions } from "../../src/data/open_training_set.ts";
import { planSynth, type Trap } from "../../src/data/synth/plan.ts";
import { writeSynth } from "../../src/data/synth/write.ts";
import type { TrainingSet } from "../../src/data/training_set.ts";
import { formatVocabulary, parseVocabulary, writtenGenes } from "../../src/data/genes/vocabulary.ts";
import { disk } from "../../src/io/fs.ts";
import { type SmallSample, writeSmallSample, type Written } from "./pair_folder.ts";

const root = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(root, { recursive: true }));

let folders = 0;
async function folderOf(...samples: SmallSample[]): Promise<{ folder: string; written: Map<string, Written> }> {
  const folder = `${root}/${folders++}`;
  const written = new Map<string, Written>();
  for (const sample of samples) written.set(sample.id, await writeSmallSample(folder, sample));
  return { folder, written };
}

/** Most tests choose few genes. */
function open(folder: string | readonly string[], options: Partial<TrainingSetOptions> = {}): Promise<TrainingSet> {
  const given = typeof folder === "string" ? [folder] : folder;
  return openTrainingSet(disk, { folders: given, genes: { size: "all" }, ...options });
}

const names = (n: number, prefix = "G") => Array.from({ length: n }, (_, i) => `${prefix}${i}`);

/** Both layers by the formulas, in f64: `[spot][gene name]`; genes with a total below 3 are missing. */
function reference(genes: readonly string[], { counts, arrayRow, arrayColumn }: Written, smooth: boolean) {
  const n = counts.length;
  const kept = genes.map((_, g) => g).filter((g) => counts.reduce((sum, row) => sum + row[g]!, 0) >= 3);
  return counts.map((own, i) => {
    const near = counts.map((_, j) => j).filter((j) =>
      (arrayRow[i]! - arrayRow[j]!) ** 2 + (arrayColumn[i]! - arrayColumn[j]!) ** 2 <= 2
    );
    const value = (g: number) =>
      smooth && n > 1 ? own[g]! / 2 + near.reduce((sum, j) => sum + counts[j]![g]!, 0) / near.length / 2 : own[g]!;
    const total = kept.reduce((sum, g) => sum + value(g), 0);
    return new Map(kept.map((g) => [genes[g]!.toUpperCase(), Math.log1p(1e4 * value(g) / total)]));
  });
}

function close(found: ArrayLike<number>, wanted: readonly number[], text: string): void {
  assert.equal(found.length, wanted.length, text);
  wanted.forEach((value, k) => assert.ok(Math.abs(found[k]! - value) < 1e-5, `${text} ${k}: ${found[k]} ${value}`));
}

/** Row of a pair's spot in its table. */
function spotOf(
  set: TrainingSet,
  written: Map<string, Written>,
  pair: number,
): { id: string; spot: number; row: number } {
  const { sample, row } = set.locate(pair);
  const { id, barcodes } = set.samples[sample]!;
  return { id, spot: written.get(id)!.barcodes.indexOf(barcodes[row]!), row };
}

const A: SmallSample = { id: "A", genes: [...names(12), "OnlyA", "BLANK_1"], patched: [5, 3, 20, 0, 7, 11, 2] };
const B: SmallSample = { id: "B", genes: [...names(12).toReversed(), "onlyB"], rows: 3, columns: 5 };

Deno.test("expression is that of the formulas, in one order of genes whatever the samples' own", async () => {
  const { folder, written } = await folderOf(A, B);
  const set = await open(folder);
  assert.equal(set.count, 7 + 15);
  assert.deepEqual(set.vocabulary.genes.toSorted(), [...names(12), "ONLYA", "ONLYB"].toSorted());
  const given = new Map([A, B].map((sample) => [sample.id, sample.genes.filter((name) => !name.startsWith("BLANK"))]));
  const cut = (id: string) => {
    const { counts, ...rest } = written.get(id)!;
    return { ...rest, counts: counts.map((row) => row.slice(0, given.get(id)!.length)) };
  };
  const context = new Map([...given].map(([id, genes]) => [id, reference(genes, cut(id), true)]));
  const own = new Map([...given].map(([id, genes]) => [id, reference(genes, cut(id), false)]));
  const row = (of: Map<string, number>) => set.vocabulary.genes.map((name) => of.get(name) ?? 0);
  for (let pair = 0; pair < set.count; pair++) {
    const { id, spot, row: at } = spotOf(set, written, pair);
    close(set.expression(pair), row(context.get(id)![spot]!), `${id} ${spot}`);
    const { sample } = set.locate(pair);
    close(
      set.own(sample).subarray(at * set.genes, (at + 1) * set.genes),
      row(own.get(id)![spot]!),
      `own ${id} ${spot}`,
    );
  }
  assert.notDeepEqual(set.own(0), set.matrix(0), "smoothing does something");
  // Statistics are of the pairs' own expression, of samples that measured the gene.
  set.vocabulary.genes.forEach((name, g) => {
    const values = set.samples.flatMap(({ id, barcodes }) =>
      given.get(id)!.some((gene) => gene.toUpperCase() === name)
        ? barcodes.map((barcode) => own.get(id)![written.get(id)!.barcodes.indexOf(barcode)]!.get(name) ?? 0)
        : []
    );
    const mean = values.reduce((a, b) => a + b) / values.length;
    const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (values.length - 1));
    close([set.statistics.mean[g]!, set.statistics.std[g]!], [mean, std], name);
  });
});

Deno.test("pairs follow the patch file, with their places", async () => {
  const { folder, written } = await folderOf(A, B);
  const set = await open(folder);
  const { barcodes, patches, spatial, arrayRow, arrayColumn, pitch, dropped, selfTest } = set.samples[0]!;
  const a = written.get("A")!;
  assert.deepEqual(barcodes, A.patched!.map((i) => a.barcodes[i]!));
  assert.deepEqual([...patches.rows], [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual([...spatial.xy], A.patched!.flatMap((i) => [...a.spatial.slice(2 * i, 2 * i + 2)]));
  assert.deepEqual([...arrayRow], A.patched!.map((i) => a.arrayRow[i]!));
  assert.deepEqual([...arrayColumn], A.patched!.map((i) => a.arrayColumn[i]!));
  assert.ok(Math.abs(pitch - 100) < 1);
  assert.deepEqual(dropped, { spotWithoutPatch: 17, patchWithoutSpot: 0, badCounts: 0, fewCounts: 0 });
  assert.equal(selfTest.verdict, "passed");
  assert.deepEqual(set.locate(6), { sample: 0, row: 6 });
  assert.deepEqual(set.locate(7), { sample: 1, row: 0 });
  assert.deepEqual(set.locate(21), { sample: 1, row: 14 });
  assert.deepEqual([...set.gather([9, 0])], [...set.expression(9), ...set.expression(0)]);
  const table = set.patchTable();
  assert.deepEqual([table.size, table.files, [...table.file.slice(5, 9)], [...table.row.slice(5, 9)]], [
    8,
    [`${folder}/patches/A.h5`, `${folder}/patches/B.h5`],
    [0, 0, 1, 1],
    [5, 6, 0, 1],
  ]);
  // Spots 2, 3 and 7 of A lie in a triangle; pairs 6, 1 and 4 show them.
  const near = set.near(1);
  assert.deepEqual([...near.indices.slice(near.indptr[1]!, near.indptr[2]!)], [6]);
});

Deno.test("raw counts come back for any panel", async () => {
  const { folder, written } = await folderOf(A, B);
  const set = await open(folder);
  const panel = ["G7", "G2"];
  const found = await set.logCounts(1, panel);
  const wanted = written.get("B")!.counts.flatMap((row) =>
    panel.map((name) => Math.log1p(row[B.genes.indexOf(name)]!))
  );
  close(found, wanted, "panel");
  const raw = await set.raw(0);
  assert.deepEqual([raw.spots, raw.genes.length], [set.samples[0]!.barcodes, 13]);
  await assert.rejects(set.logCounts(1, ["ONLYA"]), { name: "DataError", code: "panel-genes" });
});

const donors = (test: SmallSample["count"]): SmallSample[] => [
  { id: "T1", genes: names(20), patient: "P1" },
  { id: "X", genes: [...names(20), "ONLYX"], patient: "P3", ...(test && { count: test }) },
  { id: "T2", genes: names(20).toReversed(), patient: "P2" },
];

Deno.test("genes and statistics are of training samples alone", async () => {
  const loud = (spot: number, gene: string) => gene === "ONLYX" ? 500 : (spot * gene.length * 7) % 300;
  const [quiet, noisy] = [await folderOf(...donors(undefined)), await folderOf(...donors(loud))];
  const options = { holdOut: { test: { samples: ["X"] } }, genes: { size: 10, perSample: 10 } };
  const [a, b] = [await open(quiet.folder, options), await open(noisy.folder, options)];
  assert.deepEqual(a.vocabulary, b.vocabulary);
  assert.deepEqual(a.vocabulary.origin.samples, ["T1", "T2"]);
  assert.deepEqual(a.samples.map(({ id, role, first }) => [id, role, first]), [
    ["T1", "train", 0],
    ["T2", "train", 24],
    ["X", "test", 48],
  ]);
  assert.deepEqual([...a.pairs("train")], Array.from({ length: 48 }, (_, i) => i));
  assert.deepEqual([a.pairs("test")[0], a.pairs("test").length, a.pairs("validation").length], [48, 24, 0]);
  assert.notDeepEqual(a.matrix(2), b.matrix(2));
  // Trained on, the same sample does change them.
  const c = await open(noisy.folder, { ...options, holdOut: {} });
  assert.notDeepEqual(c.vocabulary.genes, a.vocabulary.genes);
  assert.ok(c.vocabulary.genes.includes("ONLYX") || c.statistics.mean.some((v, g) => v !== a.statistics.mean[g]));
});

Deno.test("donors are held out by name and by share, whole", async () => {
  const samples = ["P1", "P1", "P2", "P2", "P3", "P4"].map((patient, i): SmallSample => ({
    id: `S${i}`,
    genes: names(8),
    patient,
    patched: [0, 1, 2],
  }));
  const { folder } = await folderOf(...samples);
  const roles = async (holdOut: TrainingSetOptions["holdOut"]) =>
    (await open(folder, { holdOut })).samples.map(({ id, role, donor }) => `${id} ${role} ${donor}`);
  assert.deepEqual(await roles({ test: { donors: ["p2"] }, validation: { donors: ["small / p3"] } }), [
    "S0 train small / p1",
    "S1 train small / p1",
    "S5 train small / p4",
    "S4 validation small / p3",
    "S2 test small / p2",
    "S3 test small / p2",
  ]);
  const drawn = await roles({ test: { share: 0.34 }, validation: { share: 0.17 }, seed: 5 });
  assert.deepEqual(drawn, await roles({ test: { share: 0.34 }, validation: { share: 0.17 }, seed: 5 }));
  for (const patient of ["p1", "p2", "p3", "p4"]) {
    const sides = new Set(drawn.filter((line) => line.endsWith(patient)).map((line) => line.split(" ")[1]));
    assert.equal(sides.size, 1, patient);
  }
  assert.equal(drawn.filter((line) => line.includes(" test ")).length, 2);
  for (const bad of [{ samples: ["S9"] }, { donors: ["P9"] }, { samples: samples.map(({ id }) => id) }]) {
    await assert.rejects(roles({ test: bad }), { name: "ConfigError" });
  }
  await assert.rejects(roles({ test: { samples: ["S4"] }, validation: { donors: ["P3"] } }), { name: "ConfigError" });
});

Deno.test("a donor or content on two sides is refused, or told", async () => {
  const { folder } = await folderOf(
    { id: "L1", genes: names(12), patient: "P1" },
    { id: "L2", genes: names(12), patient: "P1" },
    { id: "L3", genes: names(12), patient: "P2" },
  );
  const holdOut = { test: { samples: ["L2"] } };
  await assert.rejects(open(folder, { holdOut }), { name: "DataError", code: "leakage", message: /small \/ p1/ });
  const told = await open(folder, { holdOut, allowLeakage: true });
  assert.match(told.warnings.join("\n"), /donor small \/ p1: L1 trained, L2 tested/);
  assert.equal(told.leakage[0]!.clean, false);
  assert.equal((await open(folder, { holdOut: { test: { samples: ["L3"] } } })).leakage[0]!.clean, true);
  // One specimen under two names and donors, genes in another order.
  const count = (spot: number, gene: string) => (spot * 31 + Number(gene.slice(1)) * 17) % 23;
  const same = await folderOf(
    { id: "M1", genes: names(14), count },
    { id: "M2", genes: names(14).toReversed(), count },
    { id: "M3", genes: names(14) },
  );
  const split = { holdOut: { test: { samples: ["M2"] } } };
  await assert.rejects(open(same.folder, split), { name: "DataError", code: "leakage", message: /equal counts/ });
  assert.equal((await open(same.folder, { ...split, findDuplicates: false })).count, 72);
});

Deno.test("a constant gene is repaired, and said to be", async () => {
  // Log-normalised, only a gene of zeros or a table of one total is constant: all spots have the same counts here but two.
  const count = (spot: number, gene: string) => gene === "G0" ? 5 : gene === "G1" ? spot % 3 : 4 - spot % 3;
  const { folder } = await folderOf({ id: "C", genes: ["G0", "G1", "G2"], count });
  const set = await open(folder, { genes: { genes: ["G2", "G0", "G1"] } });
  assert.deepEqual(set.vocabulary.genes, ["G2", "G0", "G1"]);
  assert.deepEqual(set.constant, ["G0"]);
  assert.equal(set.statistics.std[1], Math.fround(1e-3));
  assert.ok(set.statistics.std[0]! > 0.1);
  assert.match(set.warnings.join("\n"), /1 genes are constant over the training pairs \(G0\)/);
});

Deno.test("a sample without patches is refused, or left out on request", async () => {
  const { folder } = await folderOf({ id: "A", genes: names(8) }, { id: "N", genes: names(8), patched: null });
  await assert.rejects(open(folder), { name: "DataError", code: "no-patches", message: /N\.h5/ });
  const set = await open(folder, { withoutPatches: "skip" });
  assert.deepEqual([set.samples.length, set.warnings[0]], [1, "N was left out: it has no patches"]);
  await assert.rejects(open(folder, { samples: ["N"], withoutPatches: "skip" }), { code: "no-samples" });
});

Deno.test("counts that are none are refused, or their spots left out and counted", async () => {
  const count = (spot: number, gene: string) => spot === 4 && gene === "G2" ? NaN : spot === 6 ? 0 : 1 + spot % 4;
  const bad: SmallSample = { id: "D", genes: names(6), count, patched: [3, 4, 5, 6, 8] };
  const { folder, written } = await folderOf(bad);
  await assert.rejects(open(folder), { name: "DataError", message: /counts of D: NaN in spot D-AC4, gene G2/ });
  const set = await open(folder, { load: { dropBadSpots: true } });
  const { dropped, barcodes, arrayRow, spatial } = set.samples[0]!;
  assert.deepEqual(barcodes, ["D-AC3", "D-AC5", "D-AC8"]);
  assert.deepEqual(dropped, { spotWithoutPatch: 19, patchWithoutSpot: 0, badCounts: 1, fewCounts: 1 });
  const { counts, arrayRow: rows, arrayColumn: columns, ...rest } = written.get("D")!;
  const without = <T>(list: readonly T[]) => list.filter((_, i) => i !== 4);
  const kept = { ...rest, counts: without(counts), arrayRow: without(rows), arrayColumn: without(columns) };
  const wanted = reference(bad.genes, kept, true);
  [2, 4, 7].forEach((at, pair) => {
    close(set.expression(pair), set.vocabulary.genes.map((name) => wanted[at]!.get(name) ?? 0), `pair ${pair}`);
  });
  assert.deepEqual([arrayRow[1], spatial.xy[2]], [rows[5], rest.spatial[10]]);
  assert.deepEqual((await set.raw(0)).spots, barcodes);
  const fractions = await folderOf({ id: "F", genes: names(6), count: (spot) => 0.5 + spot });
  await assert.rejects(open(fractions.folder), { name: "DataError", message: /raw counts/ });
});

Deno.test("genes are told apart in upper case and written as the data write them, in genes.json too", async () => {
  const genes = ["C1orf53", "EPCAM", "Cd3e", "mt-Co1", "G4", "G5"];
  const { folder } = await folderOf({ id: "A", genes }, { id: "B", genes: genes.map((name) => name.toUpperCase()) });
  const { vocabulary } = await open(folder);
  const shown = writtenGenes(vocabulary);
  assert.deepEqual([...shown].sort(), [...genes].sort());
  assert.deepEqual(shown.map((name) => name.toUpperCase()), vocabulary.genes);
  const text = formatVocabulary(vocabulary);
  assert.deepEqual(parseVocabulary(new TextEncoder().encode(text), "genes.json").written, vocabulary.written);
  const lies = text.replace('"C1orf53"', '"C1orf54"');
  assert.throws(() => parseVocabulary(new TextEncoder().encode(lies), "genes.json"), /written that are not the names/);
  // Files of a vocabulary without such names stay as they were.
  const plain = await folderOf({ id: "A", genes: names(6) });
  assert.equal((await open(plain.folder)).vocabulary.written, undefined);
});

Deno.test("counts of a layer give what they give in X; without its name they are refused with it", async () => {
  const plain = await folderOf({ id: "A", genes: names(8) });
  const { folder } = await folderOf({ id: "A", genes: names(8), layer: "counts" });
  await assert.rejects(open(folder), { code: "counts", hint: /counts=layers\/counts of train/ });
  const wanted = await open(plain.folder);
  for (const counts of ["counts", "layers/counts"]) {
    const set = await open(folder, { load: { counts } });
    assert.deepEqual([set.fingerprint, set.matrix(0)], [wanted.fingerprint, wanted.matrix(0)]);
    assert.deepEqual((await set.raw(0)).matrix, (await wanted.raw(0)).matrix);
  }
});

Deno.test("genes of another panel are refused, a part of them told", async () => {
  const { folder } = await folderOf({ id: "A", genes: names(10) });
  const other = await folderOf({ id: "O", genes: names(10, "Q") });
  const { vocabulary } = await open(folder);
  await assert.rejects(open(other.folder, { genes: { vocabulary } }), {
    name: "DataError",
    message: /none of its 10 genes/,
  });
  const part = await folderOf({ id: "P", genes: [...names(6), ...names(9, "Q")] });
  const told = await open(part.folder, { genes: { vocabulary } });
  assert.deepEqual(told.samples[0]!.coverage.missing.toSorted(), ["G6", "G7", "G8", "G9"]);
  assert.match(told.warnings.join("\n"), /6 of 10 genes/);
  const one = await folderOf({ id: "R", genes: ["G1", ...names(9, "Q")] });
  await assert.rejects(open(one.folder, { genes: { vocabulary } }), { name: "DataError", code: "coverage" });
  assert.equal((await open(one.folder, { genes: { vocabulary }, leastCoverage: 0 })).count, 24);
  await assert.rejects(open(folder, { genes: { genes: ["G1", "NOPE"] } }), { code: "panel-genes", message: /NOPE/ });
  await assert.rejects(open(folder, { genes: { genes: ["G1", "G1"] } }), { code: "panel-genes" });
  await assert.rejects(open(folder, { genes: { size: 11 } }), { name: "DataError", message: /11 genes: 10/ });
});

Deno.test("a vocabulary that exists is used as it is, statistics included", async () => {
  const { folder } = await folderOf({ id: "A", genes: names(10) }, { id: "B", genes: names(10) });
  const first = await open(folder, { samples: ["A"] });
  const saved = parseVocabulary(new TextEncoder().encode(formatVocabulary(first.vocabulary)), "genes.json");
  const second = await open(folder, { samples: ["B"], genes: { vocabulary: saved } });
  assert.deepEqual(second.vocabulary.genes, first.vocabulary.genes);
  close(second.statistics.mean, [...first.statistics.mean], "mean");
});

Deno.test("files that disagree are refused", async () => {
  const refused = async (code: string, samples: SmallSample[], options: Partial<TrainingSetOptions> = {}) =>
    assert.rejects(open((await folderOf(...samples)).folder, options), { name: "DataError", code });
  const genes = names(8);
  await refused("coords-disagree", [{ id: "A", genes, off: 5 }]);
  await refused("patch-size", [{ id: "A", genes }, { id: "B", genes, size: 10 }]);
  await refused("barcode-unknown", [{ id: "A", genes, patched: [1, 2, 99] }]);
  await refused("barcode-twice", [{ id: "A", genes, patched: [1, 2, 1] }]);
  await refused("no-pairs", [{ id: "A", genes, patched: [0], count: (spot) => spot === 0 ? 0 : 3 }]);
  await refused("denied", [{ id: "NCBI784", genes }]);
  const { folder } = await folderOf({ id: "A", genes, patched: [1, 2, 99] });
  const set = await open(folder, { load: { dropUnknownPatches: true } });
  assert.equal(set.samples[0]!.dropped.patchWithoutSpot, 1);
  await assert.rejects(open([folder, (await folderOf({ id: "A", genes })).folder]), { code: "sample-twice" });
  await assert.rejects(open(`${root}/nowhere`), { code: "no-samples" });
  await assert.rejects(open(folder, { samples: ["AA"] }), { name: "ConfigError" });
  const damaged = await folderOf({ id: "A", genes });
  Deno.truncateSync(`${damaged.folder}/st/A.h5ad`, 900);
  await assert.rejects(open(damaged.folder), { name: "FormatError", message: /A\.h5ad/ });
});

Deno.test("technologies without neighbours are not smoothed, nor what says nothing", async () => {
  const genes = names(9);
  const { folder } = await folderOf({ id: "A", genes }, { id: "S", genes, technology: "Xenium" }, {
    id: "U",
    genes,
    metadata: false,
  });
  const set = await open(folder);
  assert.deepEqual(set.samples.map(({ id, smoothed }) => [id, smoothed]), [["A", true], ["S", false], ["U", false]]);
  assert.deepEqual(set.own(1), set.matrix(1));
  assert.equal(set.samples[2]!.donor, "sample U");
  const told = await open(folder, { load: { technology: "Visium" } });
  assert.equal(told.samples[2]!.smoothed, true);
  const own = await open(folder, { layer: "own" });
  assert.deepEqual(own.matrix(0), own.own(0));
});

Deno.test("memory decides how often files are read, and nothing else", async () => {
  const { folder } = await folderOf(...donors(undefined));
  const seen: string[] = [];
  const onSample = (done: number, total: number, id: string) => void seen.push(`${done}/${total} ${id}`);
  const [kept, again] = [await open(folder, { onSample }), await open(folder, { memory: 0 })];
  assert.deepEqual(seen, ["1/3 T1", "2/3 T2", "3/3 X"]);
  assert.deepEqual(again.vocabulary, kept.vocabulary);
  for (const i of [0, 1, 2]) {
    assert.deepEqual(again.matrix(i), kept.matrix(i));
    assert.deepEqual(again.own(i), kept.own(i));
  }
  assert.equal(again.fingerprint, kept.fingerprint);
  const aborted = AbortSignal.abort(new Error("stop"));
  await assert.rejects(open(folder, { signal: aborted }), { message: "stop" });
});

Deno.test("the fingerprint tells sets apart", async () => {
  const base = donors(undefined);
  const { folder } = await folderOf(...base);
  const other = await folderOf(...base.map((s) => s.id === "T2" ? { ...s, count: (spot: number) => spot % 5 } : s));
  const fewer = await folderOf(...base.map((s) => s.id === "T2" ? { ...s, patched: [1, 2, 3] } : s));
  const moved = await folderOf(...base.map((s) => s.id === "T2" ? { ...s, patched: [1, 3, 2] } : s));
  const prints = await Promise.all([
    open(folder),
    open(folder, { holdOut: { test: { samples: ["X"] } } }),
    open(folder, { samples: ["T1", "T2"] }),
    open(folder, { genes: { genes: ["G1", "G2"] } }),
    open(other.folder),
    open(fewer.folder),
    open(moved.folder),
  ].map(async (set) => (await set).fingerprint));
  assert.equal(new Set(prints).size, prints.length);
  const copy = await folderOf(...base);
  assert.equal((await open(copy.folder)).fingerprint, prints[0]);
});

async function synth(traps: Trap[], slidesPerDonor = 1): Promise<string> {
  const out = `${root}/synth${folders++}`;
  const plan = planSynth({ profile: "smoke", slides: 2, rows: 3, cols: 4, traps, slidesPerDonor });
  await writeSynth(disk, out, plan, { makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }) });
  return out;
}

Deno.test("synthetic slides: order of patches, names and layouts of files do not matter, donors do", async () => {
  const holdOut = { test: { samples: ["SYN1"] } };
  const plain = await open(await synth([]), { holdOut });
  // 200 genes without ten controls, of which those too rare in six spots count as measured.
  assert.ok(plain.genes > 100 && plain.genes <= 190);
  const byBarcode = (set: TrainingSet) =>
    new Map(set.samples.flatMap((sample, i) =>
      sample.barcodes.map((barcode, row) => [
        `${sample.id} ${barcode}`,
        [...set.matrix(i).subarray(row * set.genes, (row + 1) * set.genes)],
      ])
    ));
  const other = await open(await synth(["shuffle-patches", "ensembl", "old-h5ad", "json-nan"]), { holdOut });
  assert.notDeepEqual(other.samples[0]!.barcodes, plain.samples[0]!.barcodes);
  assert.deepEqual(other.samples[0]!.barcodes.toSorted(), plain.samples[0]!.barcodes.toSorted());
  assert.deepEqual(other.vocabulary.genes, plain.vocabulary.genes);
  const [a, b] = [byBarcode(plain), byBarcode(other)];
  for (const [key, row] of a) close(b.get(key)!, row, key);
  await assert.rejects(open(await synth(["swap-coords"])), { code: "coords-disagree", message: /\[y, x\]/ });
  await assert.rejects(open(await synth(["nan-x"])), { name: "DataError", message: /NaN/ });
  const permuted = byBarcode(
    await open(await synth(["permute-counts"]), { holdOut, genes: { genes: plain.vocabulary.genes } }),
  );
  assert.ok([...a].filter(([key, row]) => permuted.get(key)!.some((v, g) => Math.abs(v - row[g]!) > 1e-4)).length > 6);
  await assert.rejects(open(await synth([], 2), { holdOut }), { code: "leakage" });
});
