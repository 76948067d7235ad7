/**
 * Each known problem of published samples that a training engine meets, by its number in the table of the specification of
 * HEST: what is refused, what is said, and what must not matter.
 *
 * Not here: 30 (alignment files of Xenium, which is not converted) and 31 (how well a probe tells slides apart, which is
 * evaluation). Of 1 the comparison of nuclei with counts is in `alignment_test.ts`; of 23 the answers of servers are in
 * `tests/models/hub_test.ts`; of 32 the conversions' inputs are in `tests/cli/convert_visium_test.ts`.
 */

import assert from "node:assert/strict";
import { DataError, FormatError, LimitError } from "../../src/core/errors.ts";
import { findSamples } from "../../src/data/data_folder.ts";
import { donorGroups } from "../../src/data/donors.ts";
import { type LoadedSample, type LoadOptions, loadSample } from "../../src/data/load_sample.ts";
import { toDense } from "../../src/data/matrix.ts";
import { openTrainingSet, type TrainingSetOptions } from "../../src/data/open_training_set.ts";
import { panelColumns } from "../../src/data/genes/panel.ts";
import { gatherWarnings, isNote } from "../../src/data/sample_checks.ts";
import { checkPixelSizes } from "../../src/data/image/pixel_size.ts";
import { centre } from "../../src/data/coordinates.ts";
import { openSlide } from "../../src/data/image/slide.ts";
import type { TrainingSet } from "../../src/data/training_set.ts";
import { poolBins } from "../../src/data/convert/visium_hd.ts";
import { disk, openFile } from "../../src/io/fs.ts";
import { parseGeoJson } from "../../src/io/geojson.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { parseCatalogue, parseMetadata } from "../../src/io/metadata.ts";
import { cellName } from "../../src/io/nuclei.ts";
import { openPatches } from "../../src/io/patches.ts";
import { matrixOf, toDense as fillRows } from "../../src/io/sparse.ts";
import { writeTiff } from "../../src/io/image/tiff_write.ts";
import { Sha256 } from "../../src/host/zlib.ts";
import { arrayOf, placeOf, plainCounts, type Problem, writeProblem } from "./problem_sample.ts";

const root = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(root, { recursive: true }));
let folders = 0;

async function folderOf(...problems: Problem[]): Promise<string> {
  const folder = `${root}/${folders++}`;
  for (const problem of problems) await writeProblem(folder, problem);
  return folder;
}

async function load(problem: Problem, options: LoadOptions = {}): Promise<LoadedSample> {
  const [files] = findSamples(disk, [await folderOf(problem)]);
  return await loadSample(disk, files!, options);
}

async function open(folder: string, options: Partial<TrainingSetOptions> = {}): Promise<TrainingSet> {
  return await openTrainingSet(disk, { folders: [folder], genes: { size: "all" }, ...options });
}

/** A DataError of that code whose message, hint included, fits. */
const refused = (code: string, pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof DataError, String(error));
  assert.equal(error.code, code);
  assert.match(`${error.message}\n${error.hint}`, pattern);
  return true;
};

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("1: a misaligned sample is refused with its reason, unless it is allowed by name", async () => {
  const folder = await folderOf({ id: "NCBI784" });
  await assert.rejects(
    open(folder),
    refused("denied", /NCBI784: image and spots are misaligned.*HEST #59[\s\S]*allow_denied=NCBI784/),
  );
  const { warnings } = await open(folder, { allowDenied: ["NCBI784"] });
  assert.ok(warnings.some((text) => /NCBI784: image and spots are misaligned/.test(text)), String(warnings));
});

Deno.test("2: a distance of spots that is not the metadata's is said", async () => {
  // Pseudo-spots 58.39 µm apart on a square lattice, at 0.5 µm a pixel; the metadata say 100.
  const array = (i: number) => [Math.floor(i / 4), i % 4] as const;
  const place = (i: number) => [400 + 116.78 * (i % 4), 300 + 116.78 * Math.floor(i / 4)] as const;
  const metadata = { st_technology: "Xenium" };
  const { warnings } = await load({ id: "A", array, place, metadata });
  assert.deepEqual(warnings.filter((text) => /distance of spots/.test(text)), [
    "A: distance of spots by place and by the metadata: 58.39 and 100.0 differ by 41.6 %",
  ]);
  assert.deepEqual(
    (await load({ id: "A", array, place, metadata: { ...metadata, inter_spot_dist: 58 } })).warnings,
    [],
  );
});

Deno.test("3: one specimen under two names, donors on two sides and unnamed patients are found", async () => {
  const folder = await folderOf({ id: "A" }, { id: "B" }, { id: "C", counts: plainCounts(12, 8).toReversed() });
  const holdOut = { test: { samples: ["B"] } };
  await assert.rejects(open(folder, { holdOut }), refused("leakage", /A and B are of equal counts/));
  assert.ok((await open(folder, { holdOut, allowLeakage: true })).warnings.some((text) => /A and B/.test(text)));
  const pair = await folderOf({ id: "TENX128" }, { id: "TENX155", counts: plainCounts(12).toReversed() });
  const split = { test: { samples: ["TENX155"] } };
  await assert.rejects(
    open(pair, { holdOut: split, findDuplicates: false }),
    refused("leakage", /TENX128 trained, TENX155/),
  );
  const groups = donorGroups([
    { id: "1", dataset: "D", patient: " " },
    { id: "2", dataset: "D", patient: "nan" },
    { id: "3", dataset: "D", patient: "P" },
    { id: "4", dataset: "E" },
  ]);
  assert.deepEqual(groups.map(({ samples }) => samples), [["1", "2"], ["3"], ["4"]]);
});

Deno.test("4: blank and missing texts of the metadata are unknown, and drop no sample", async () => {
  const folder = await folderOf(
    { id: "A", metadata: { tissue: "  ", organ: null } },
    { id: "B", metadata: { tissue: "Skin" }, counts: plainCounts(12).toReversed() },
  );
  const files = findSamples(disk, [folder]);
  assert.deepEqual(files.map(({ metadata }) => metadata!.text("tissue")), [undefined, "Skin"]);
  assert.deepEqual((await open(folder)).samples.map(({ id }) => id), ["A", "B"]);
});

Deno.test("5: a resolution tag ten times off is not believed, and what it likely means is said", async () => {
  const path = `${root}/tag.tif`;
  const rows = (_: number, count: number) => new Uint8Array(300 * count * 3);
  writeTiff(disk, path, { width: 300, height: 200, pixelSize: 0.02737, rows });
  const slide = await openSlide(await openFile(path));
  slide.close();
  assert.deepEqual([slide.pixelSize.um, slide.pixelSize.source], [undefined, "resolution-tag"]);
  assert.match(
    slide.pixelSize.problem!,
    /0\.02737 µm wide, expected 0\.1 to 10 µm; ten times that, 0\.2737 µm, is likely/,
  );
  const text = '{"id": "A", "pixel_size_um_embedded": 0.02737, "pixel_size_um_estimated": 0.2737}';
  assert.equal(parseMetadata(bytes(text), "A.json").pixelSize, 0.2737);
});

Deno.test("6: sizes of a pixel by four spots, by all and by the metadata stand side by side", async () => {
  const spots = {
    rows: Array.from({ length: 12 }, (_, i) => arrayOf(i)[0]),
    columns: Array.from({ length: 12 }, (_, i) => arrayOf(i)[1]),
    spatial: centre(Array.from({ length: 12 }, (_, i) => placeOf(i)).flat()),
    pitch: 100,
    lattice: "hex",
  } as const;
  const { reference, fit, metadata, warnings } = checkPixelSizes("A", spots, 0.55);
  assert.deepEqual([reference!.toFixed(6), fit!.size.toFixed(6), metadata], ["0.500000", "0.500000", 0.55]);
  assert.match(
    warnings.join("\n"),
    /pixel size by the metadata and by the spots: 0\.5500 and 0\.5000 differ by 10\.0 %/,
  );
  const told = (await load({ id: "A", metadata: { pixel_size_um_estimated: 0.55 } })).warnings.join("\n");
  assert.match(told, /by the metadata and by the spots: 0\.5500 and 0\.5000/);
  assert.match(told, /by the patches and by the metadata: 0\.5000 and 0\.5500/);
});

Deno.test("7: patches of the size HEST replaced are refused with the mend; other sizes stay the user's", async () => {
  const counts = plainCounts(3);
  const old = { id: "TENX1", counts, size: 256, generation: "v1" as const };
  await assert.rejects(
    load(old),
    refused("patch-size", /patches of 256 pixels, 224 wanted[\s\S]*August 2024: fetch it again/),
  );
  const { warnings } = await load({ id: "TENX1", counts, size: 256 });
  assert.ok(warnings.some((text) => /256 pixels; HEST's have 224/.test(text)));
  assert.ok(!(await load({ id: "mine", counts, size: 256 })).warnings.some((text) => /256/.test(text)));
});

Deno.test("8: coordinates that mean something else are found, and unknown ones are not guessed", async () => {
  const swapped = refused("coords-disagree", /patches lie [\d.]+ pixels from their spots.*: coords are \[y, x\]/);
  await assert.rejects(load({ id: "A", swapped: true }), swapped);
  await assert.rejects(load({ id: "A", swapped: true, generation: "v1" }), swapped);
  const told = await load({ id: "A", swapped: true }, { selfTest: "warn" });
  assert.ok(told.warnings.some((text) => /coords are \[y, x\]/.test(text)));
  const kinds: [string, string][] = [["current", "top-left"], ["v1", "centre"], ["imgs", "unknown"]];
  for (const [name, wanted] of kinds) {
    const file = new URL(`../fixtures/h5/${name}.h5`, import.meta.url).pathname;
    const patches = await openPatches(disk.open(file, "read"));
    assert.equal(patches.coordsOf, wanted, name);
    patches.close();
  }
});

Deno.test("9: pairs are joined by barcode whatever the order, and spots without a patch are counted", async () => {
  const patched = [7, 2, 11, 0, 5, 9, 1];
  const counts = plainCounts();
  const { barcodes, dropped, raw, spots } = await load({ id: "A", counts, patched });
  assert.deepEqual(barcodes, patched.map((i) => `A-${i}`));
  assert.deepEqual([...spots], patched);
  assert.deepEqual([...toDense(raw.matrix).data], patched.flatMap((i) => counts[i]!));
  assert.equal(dropped.spotWithoutPatch, 5);
});

Deno.test("10: Ensembl identifiers become the symbols of the file's own columns; a panel lists who lacks it", async () => {
  const genes = ["ENSG00000000001", "ENSG00000000002.7", "ensmusg00000000003", "ACTB", "ENSG00000000009"];
  const gene_name = ["TP53", "EGFR", "Xist", "ACTB", "ENSG00000000009"];
  const problem = { id: "A", counts: plainCounts(12, 5), genes, geneColumns: { gene_name } };
  const { raw, warnings } = await load(problem);
  assert.deepEqual(raw.genes, ["TP53", "EGFR", "XIST", "ACTB", "ENSG00000000009"]);
  assert.ok(warnings.some((text) => /A: 1 Ensembl identifiers have no symbol \(ENSG00000000009\)/.test(text)));
  // Without such a column nothing is looked up elsewhere.
  const bare = await load({ ...problem, geneColumns: {} });
  assert.deepEqual(bare.raw.genes.slice(0, 2), ["ENSG00000000001", "ENSG00000000002"]);
  assert.ok(bare.warnings.some((text) => /4 Ensembl identifiers have no symbol/.test(text)));
  const folder = await folderOf({ ...problem, geneColumns: {} });
  await assert.rejects(
    open(folder, { genes: { genes: ["TP53", "EGFR", "XIST"] } }),
    /3 of 3 \(TP53, EGFR, XIST\) are in no sample/,
  );
});

Deno.test("11: columns of one name are summed, and said; a name never gives two columns", async () => {
  const counts = plainCounts(12, 3);
  const problem = { id: "A", counts, genes: ["A", "B", "A"] };
  const { raw, warnings } = await load(problem, { duplicates: "sum" });
  assert.deepEqual(raw.genes, ["A", "B"]);
  assert.deepEqual([...toDense(raw.matrix).data], counts.flatMap(([a, b, again]) => [a! + again!, b!]));
  assert.deepEqual(warnings, ["A: 1 gene names come more than once (A)"]);
  await assert.rejects(load(problem, { duplicates: "error" }), /A occur twice/);
  assert.deepEqual((await load(problem, { duplicates: "unique" })).raw.genes, ["A", "B", "A-1"]);
  const twice = { sample: "A", spots: ["s"], genes: ["A", "A"], matrix: { ...raw.matrix, rows: 1, columns: 2 } };
  assert.throws(() => panelColumns(["A"], twice), refused("panel-genes", /two columns named A/));
});

Deno.test("12: control probes are no genes, and how many were dropped is said", async () => {
  const genes = [
    "EPCAM",
    "NegControlProbe_00042",
    "BLANK_0003",
    "antisense_X",
    "UnassignedCodeword_1",
    "DeprecatedCodeword_2",
  ];
  const problem = { id: "A", counts: plainCounts(12, 6), genes };
  const { raw, expression, warnings } = await load(problem);
  assert.deepEqual([raw.genes, expression.own.genes], [["EPCAM"], ["EPCAM"]]);
  assert.match(
    warnings.join("\n"),
    /A: 5 control probes were dropped \(NEGCONTROLPROBE_00042, BLANK_0003, ANTISENSE_X, …\)/,
  );
  // Before normalisation: the one gene is all there is.
  assert.ok(toDense(expression.own.matrix).data.every((value) => Math.abs(value - Math.log1p(1e4)) < 1e-3));
  assert.equal((await load(problem, { keepControls: true })).raw.genes.length, 6);
});

Deno.test("12: what is true of many samples is said once", async () => {
  const genes = ["A", "B", "BLANK_1"];
  const folder = await folderOf(
    ...["S1", "S2", "S3", "S4"].map((id, k) => ({
      id,
      genes,
      counts: plainCounts(12, 3).map((row) => row.map((n) => n + k)),
    })),
    { id: "S5", genes, counts: plainCounts(12, 3).map((row) => row.map((n) => 9 * n)), patched: [0, 1] },
  );
  assert.deepEqual((await open(folder)).warnings, [
    "S5: 2 of 12 spots have a patch, less than half",
    "S1, S2 and 3 more: 1 control probes were dropped (BLANK_1)",
  ]);
});

Deno.test("warnings of many samples: what harms most first, texts that differ in numbers with their range", () => {
  const lines = gatherWarnings([
    "A: patches are enlarged: the slide has 0.6881 µm a pixel, patches 0.5",
    "A: 5 control probes were dropped (BLANK_1)",
    "A: pixel size by the metadata and by the spots: 0.5 and 0.6 differ by 16.7 %",
    "B: patches are enlarged: the slide has 0.6874 µm a pixel, patches 0.5",
    "C3: patches are enlarged: the slide has 0.7010 µm a pixel, patches 0.5",
    "B: patches lie 40.10 pixels from their spots (median of 12)",
    "something of all samples",
  ]);
  assert.deepEqual(lines, [
    "B: patches lie 40.10 pixels from their spots (median of 12)",
    "A: pixel size by the metadata and by the spots: 0.5 and 0.6 differ by 16.7 %",
    "A, B and 1 more: patches are enlarged: the slide has 0.6874 to 0.7010 µm a pixel, patches 0.5",
    "A: 5 control probes were dropped (BLANK_1)",
    "something of all samples",
  ]);
  assert.deepEqual(lines.map(isNote), [false, false, true, true, false]);
});

Deno.test("printed spots off their lattice are no disagreement, places of another scale are", () => {
  // A square lattice 400 pixels apart at 0.5 µm, each spot up to 24 pixels off: as her2st's, and as Visium's never are.
  const place = (i: number) => [20 + (i * 7919 % 49 - 24), 20 + (i * 104729 % 49 - 24)];
  const spots = Array.from({ length: 144 }, (_, i) => [Math.floor(i / 12), i % 12] as const);
  const spatial = centre(
    Float64Array.from(spots.flatMap(([r, c], i) => [400 * c + place(i)[0]!, 400 * r + place(i)[1]!])),
  );
  const input = {
    sample: "S",
    rows: spots.map(([r]) => r),
    columns: spots.map(([, c]) => c),
    spatial,
    lattice: "square",
  } as const;
  assert.deepEqual(checkPixelSizes("S", { ...input, pitch: 200 }, 0.5).warnings, []);
  const other = checkPixelSizes("S", { ...input, pitch: 200 }, 0.6).warnings;
  assert.match(other.join("\n"), /pixel size by the metadata and by the spots: 0\.6000 and 0\.[45]\d+ differ by/);
});

Deno.test("13: cells have one name whether bytes, text of bytes or numbers, and none where they are of no cell", () => {
  const values = [
    bytes("aagigajm-1"),
    "b'aagigajm-1'",
    "aagigajm-1",
    -1,
    -1n,
    "UNASSIGNED",
    "",
    bytes("UNASSIGNED"),
    7n,
  ];
  const cell = "aagigajm-1";
  assert.deepEqual(values.map(cellName), [
    cell,
    cell,
    cell,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    "7",
  ]);
});

const ring = [[0, 0], [9, 0], [9, 9], [0, 0]];

Deno.test("14: the ten chunks of Xenium's cells are no classes", () => {
  const chunk = (name: string) => ({
    type: "Feature",
    properties: { objectType: "annotation", classification: { name, color: [1, 2, 3] } },
    geometry: { type: "MultiPolygon", coordinates: [[ring]] },
  });
  const ten = Array.from({ length: 10 }, (_, i) => chunk(String(i)));
  assert.ok(parseGeoJson(bytes(JSON.stringify(ten)), "x").every(({ label }) => label === undefined));
  assert.equal(parseGeoJson(bytes(JSON.stringify([chunk("Neoplastic")])), "x")[0]!.label, "Neoplastic");
});

Deno.test("15: pooling bins keeps the sum when many go to one square, and published HD samples are told of", async () => {
  const [bins, genes] = [4000, 3];
  const values = Float32Array.from({ length: bins * genes }, (_, k) => 1 + k % 13);
  const matrix = matrixOf("X", genes, {
    indptr: Uint32Array.from({ length: bins + 1 }, (_, i) => i * genes),
    indices: Uint32Array.from({ length: bins * genes }, (_, k) => k % genes),
    values,
  });
  const one = {
    nameAt: (i: number) => `bin${i}`,
    rows: Uint32Array.from({ length: bins }, (_, i) => i),
    arrayRow: Int32Array.from({ length: bins }, (_, i) => i >> 6),
    arrayCol: Int32Array.from({ length: bins }, (_, i) => i & 63),
    inTissue: new Int32Array(bins).fill(1),
  };
  const columns = { map: Int32Array.of(0, 1, 2), width: genes, genes: ["g", "h", "i"] };
  const fit = {
    size: 1,
    residual: 0,
    anisotropy: 1,
    at: (row: number, column: number): [number, number] => [column, row],
  };
  const pooled = poolBins("A", matrix, one, columns, { bin: 2, side: 128, fit })();
  const sums = [0, 1, 2].map((g) => values.reduce((sum, value, k) => sum + (k % 3 === g ? value : 0), 0));
  assert.deepEqual([...pooled.counts.read(0, 1).values], sums);
  const { warnings } = await load({ id: "TENX200", metadata: { st_technology: "Visium HD" } });
  assert.ok(
    warnings.some((text) => /Visium HD in HEST up to 1\.1\.0 may have been lost.*#143/.test(text)),
    String(warnings),
  );
});

Deno.test("16: counts that 16-bit sums may have wrapped are told of", async () => {
  const counts = plainCounts();
  counts[3]![2] = 65_003;
  const { warnings, raw } = await load({ id: "A", counts, dense16: true });
  assert.match(warnings.join("\n"), /A: a count of 65003; 16-bit sums may have wrapped/);
  assert.equal(toDense(raw.matrix).data[3 * 8 + 2], 65_003);
});

Deno.test("17: in_tissue drops nothing, whatever it is stored as", async () => {
  const zeros: Problem["obs"][] = [
    { in_tissue: new Int32Array(12) },
    { in_tissue: new Float64Array(12) },
    { in_tissue: new Array<string>(12).fill("False") },
    { in_tissue: { codes: new Int32Array(12), categories: ["0"], ordered: false } },
  ];
  for (const obs of zeros) assert.equal((await load({ id: "A", obs: obs! })).count, 12);
});

Deno.test("18: patches of less than half of the spots are told of; no tissue outline is needed", async () => {
  const { warnings, count } = await load({ id: "A", patched: [1, 4, 6] });
  assert.deepEqual([count, warnings], [3, ["A: 3 of 12 spots have a patch, less than half"]]);
  assert.deepEqual((await load({ id: "A", patched: [0, 1, 2, 3, 4, 5] })).warnings, []);
});

Deno.test("19: barcodes of unequal length come back whole", async () => {
  const barcodes = Array.from({ length: 12 }, (_, i) => `${"é".repeat(i % 4)}${10 ** i}x002`);
  assert.deepEqual((await load({ id: "A", barcodes })).barcodes, barcodes);
});

Deno.test("20: NaN, infinity, negative numbers and fractions are refused by sample, spot and gene, or their spots dropped", async () => {
  for (const bad of [NaN, Infinity, -Infinity, -2]) {
    const counts = plainCounts();
    counts[5]![6] = bad;
    const named = new RegExp(`Cannot use the counts of A: ${bad} in spot A-5, gene GENE6, whole numbers from 0 wanted`);
    await assert.rejects(load({ id: "A", counts }), (error) => error instanceof DataError && named.test(error.message));
    const { count, barcodes, dropped, warnings } = await load({ id: "A", counts }, { dropBadSpots: true });
    assert.deepEqual([count, barcodes.includes("A-5"), dropped.badCounts], [11, false, 1]);
    assert.ok(warnings.some((text) => /A: 1 spots with NaN, infinite or negative counts were left out/.test(text)));
  }
  const counts = plainCounts();
  counts[1]![0] = 1.5;
  await assert.rejects(load({ id: "A", counts }), /A as raw counts: 1\.5 in spot A-1, gene GENE0/);
});

Deno.test("21: spots without counts are dropped and counted, constant genes named", async () => {
  const counts = plainCounts();
  counts[4]!.fill(0);
  const { count, dropped, expression } = await load({ id: "A", counts });
  assert.deepEqual([count, dropped.fewCounts, expression.report.emptySpots], [11, 1, ["A-4"]]);
  assert.ok(toDense(expression.context.matrix).data.every(Number.isFinite));
  // One gene alone is ln(1 + 10,000) in every spot.
  const flat = await open(await folderOf({ id: "A", counts: plainCounts(12, 1) }));
  assert.deepEqual(flat.constant, ["GENE0"]);
  assert.match(flat.warnings.join("\n"), /1 genes are constant over the training pairs \(GENE0\)/);
});

Deno.test("22: a gene of the panel that a sample lacks is fatal, listed, and the mend is named", async () => {
  const { raw } = await load({ id: "A" });
  const absent = refused("panel-genes", /A: it lacks KRT5, ESR1, each once wanted[\s\S]*aliases or Ensembl/);
  assert.throws(() => panelColumns(["GENE1", "KRT5", "ESR1"], raw), absent);
});

Deno.test("23: pointers of LFS, web pages and cut files in place of a sample are named with the mend", async () => {
  const folder = await folderOf({ id: "A" });
  const [files] = findSamples(disk, [folder]);
  const whole = { expression: Deno.readFileSync(files!.expression), patches: Deno.readFileSync(files!.patches!) };
  const cases: [Uint8Array | "cut", RegExp][] = [
    [
      bytes("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
      /pointer of Git LFS: run git lfs pull/,
    ],
    [
      bytes("<!DOCTYPE html><html>Access to this repository is restricted"),
      /web page: fetch the file again, signed in/,
    ],
    [bytes("Entry not found"), /no HDF5 file: fetch it again/],
    ["cut", /./],
  ];
  for (const kind of ["expression", "patches"] as const) {
    const path = files![kind]!;
    for (const [content, pattern] of cases) {
      Deno.writeFileSync(path, content === "cut" ? whole[kind].subarray(0, whole[kind].length >> 1) : content);
      await assert.rejects(loadSample(disk, files!), (error) => {
        assert.ok(error instanceof FormatError, `${kind}: ${error}`);
        assert.ok(error.message.includes(path), error.message);
        assert.match(`${error.message}\n${error.hint}`, pattern);
        return true;
      });
    }
    Deno.writeFileSync(path, whole[kind]);
  }
  assert.equal((await loadSample(disk, files!)).count, 12);
});

Deno.test("24: compression that cannot be read is named before anything is", async () => {
  const fixture = (name: string) => new URL(`../fixtures/${name}`, import.meta.url).pathname;
  const foreign = await H5ad.open(disk.open(fixture("spatial/foreign.h5ad"), "read"));
  for (const name of ["zstd", "csr_blosc"]) {
    const named = (error: unknown) => error instanceof FormatError && /compression (zstd|blosc) /.test(error.message);
    assert.throws(() => foreign.layer(name), named);
  }
  foreign.close();
  // What is compressed in a way that can be read is.
  for (const name of ["csc_gzip", "lzf"]) {
    const table = await H5ad.open(disk.open(fixture(`spatial/${name}.h5ad`), "read"));
    assert.ok(table.x.read(0, 1).values.length > 0);
    table.close();
  }
});

Deno.test("25: what would not fit in memory is refused with the need, and genes are chosen before rows are filled", async () => {
  const rows = { from: 0, indptr: new Uint32Array(5001), indices: new Uint32Array(), values: new Float32Array() };
  const named = (error: unknown) =>
    error instanceof LimitError && /5000 of 36000 columns, at most \d+/.test(error.message);
  assert.throws(() => fillRows(rows, 36_000), named);
  const chosen = { map: new Int32Array(36_000).fill(-1), width: 50 };
  assert.equal(fillRows(rows, chosen).length, 5000 * 50);
  const path = `${root}/large.tif`;
  writeTiff(disk, path, { width: 1, height: 1, pixelSize: 1, rows: () => new Uint8Array(3) });
  const slide = await openSlide(await openFile(path));
  await assert.rejects(slide.read(0, 0, 0, 100_000, 100_000), LimitError);
  slide.close();
});

Deno.test("26: Python's NaN in JSON, and marks, blanks and lines of the catalogue's CSV, are read", async () => {
  const text = '{"id": "A", "patient": NaN, "subseries": "a NaN b", "pixel_size_um_estimated": 0.5, "x": -Infinity}';
  const metadata = parseMetadata(bytes(text), "A.json");
  assert.deepEqual([metadata.text("patient"), metadata.text("subseries"), metadata.number("x")], [
    undefined,
    "a NaN b",
    undefined,
  ]);
  const csv = '\uFEFFdataset_title,id,patient,pixel_size_um_estimated\n"A, ""b""\nc",S1," ",0.5\n';
  const [row] = parseCatalogue(csv, "HEST_v1_1_0.csv");
  assert.deepEqual([row!.text("dataset_title"), row!.text("patient"), row!.pixelSize], ['A, "b"\nc', undefined, 0.5]);
  // The catalogue stands in where a sample has no metadata of its own.
  const folder = await folderOf({ id: "S1" });
  Deno.removeSync(`${folder}/metadata/S1.json`);
  Deno.writeTextFileSync(`${folder}/HEST_v1_1_0.csv`, csv);
  assert.equal(findSamples(disk, [folder])[0]!.metadata!.pixelSize, 0.5);
});

Deno.test("27: tissue outlines of both generations are read", () => {
  const hole = [[2, 1], [3, 1], [3, 2], [2, 1]];
  const current = {
    type: "FeatureCollection",
    features: [{
      type: "Feature",
      properties: { tissue_id: 3 },
      geometry: { type: "Polygon", coordinates: [ring, hole] },
    }],
  };
  const legacy = [{
    type: "Feature",
    properties: { classification: { name: "3" }, hole: [1] },
    geometry: { type: "MultiPolygon", coordinates: [[ring], [hole]] },
  }];
  for (const tree of [current, legacy]) {
    const [polygon, ...rest] = parseGeoJson(bytes(JSON.stringify(tree)), "A_contours.geojson");
    assert.deepEqual([rest.length, polygon!.holes.length, polygon!.tissueId], [0, 1, 3]);
    assert.deepEqual([...polygon!.exterior], ring.flat());
  }
});

Deno.test("28: slides coarser than patches are told of, and beyond 1.15 µm a pixel refused unless allowed", async () => {
  const at = (size: number, pixelSize = 0.5): Problem => ({
    id: "A",
    slidePixelSize: size,
    pixelSize,
    metadata: { pixel_size_um_estimated: size, inter_spot_dist: 200 * size },
  });
  assert.deepEqual((await load(at(0.5))).warnings, []);
  assert.deepEqual((await load(at(0.688))).warnings, [
    "A: patches are enlarged: the slide has 0.6880 µm a pixel, patches 0.5",
  ]);
  assert.deepEqual((await load(at(0.688, 1))).warnings, [], "patches that were cut coarser than the slide");
  await assert.rejects(
    load(at(1.3)),
    refused("too-coarse", /A: its slide has 1\.300 µm a pixel, at most 1\.15 wanted/),
  );
  assert.equal((await load(at(1.3), { allowCoarse: true })).count, 12);
});

Deno.test("29: neighbours of Visium HD are found by place, for its array indices mean nothing", async () => {
  const counts = plainCounts();
  const place = (i: number) => [400 + 256 * (i % 4), 300 + 256 * Math.floor(i / 4)] as const;
  // A running index, as HEST 1.1.0 has it.
  const array = (i: number) => [i, (5 * i) % 12] as const;
  const { expression } = await load({ id: "A", counts, place, array, metadata: { st_technology: "Visium HD" } });
  assert.equal(expression.report.smoothed, true);
  const near = (i: number, j: number) =>
    Math.max(Math.abs(i % 4 - j % 4), Math.abs(Math.floor(i / 4) - Math.floor(j / 4))) <= 1;
  const wanted = counts.flatMap((own, i) => {
    const members = counts.filter((_, j) => near(i, j));
    const mixed = own.map((value, g) =>
      value / 2 + members.reduce((sum, row) => sum + row[g]!, 0) / members.length / 2
    );
    const total = mixed.reduce((a, b) => a + b, 0);
    return mixed.map((value) => Math.log1p(1e4 * value / total));
  });
  const found = toDense(expression.context.matrix).data;
  wanted.forEach((value, k) => assert.ok(Math.abs(found[k]! - value) < 1e-5, `${k}: ${found[k]} and ${value}`));
});

Deno.test("32: nothing that is read is changed", async () => {
  const folder = await folderOf({ id: "A" }, { id: "B", counts: plainCounts().map((row) => row.map((n) => n + 1)) });
  const files = ["st/A.h5ad", "st/B.h5ad", "patches/A.h5", "patches/B.h5", "metadata/A.json", "metadata/B.json"];
  for (const file of files) Deno.chmodSync(`${folder}/${file}`, 0o444);
  const state = () =>
    files.map((file) => [
      new Sha256().update(Deno.readFileSync(`${folder}/${file}`)).hex(),
      Deno.statSync(`${folder}/${file}`).mtime!.getTime(),
    ]);
  const before = state();
  const set = await open(folder, { holdOut: { test: { samples: ["B"] } } });
  assert.equal(set.count, 24);
  assert.deepEqual(state(), before);
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["metadata", "patches", "st"]);
});
