/**
 * `train method=bulk` and `embed --run` through the command line: kills, what a run leaves, refusals that leave nothing.
 *
 * @seconds 40
 */

import assert from "node:assert/strict";
import { SILENT } from "../../../src/core/reporter.ts";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { disk } from "../../../src/io/fs.ts";
import { openFeatures } from "../../../src/io/features.ts";
import { BULK_CONFIG } from "../../../src/methods/bulk/config.ts";
import { openData } from "../../../src/methods/bulk/data.ts";
import { hostOf } from "../../../src/run/host.ts";
import { readEvidence } from "../../../src/report/evidence_read.ts";
import { isUnderWay, timelessOfRun } from "../../../scripts/kill_jobs.ts";
import { killAndResume, runWhole } from "../../../scripts/kill_resume.ts";
import { ended, launched } from "../../cli/command.ts";
import { KW1, makeWorld } from "./world.ts";

const folder = Deno.makeTempDirSync({ prefix: "bulk_run_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

const main = async (...words: string[]) => await ended((await launched(words)).output());

const patients = 24;
const world = makeWorld(5, patients, 5);
const barcode = (p: number) => `TCGA-A${p % 3}-${String(p).padStart(4, "0")}`;

/** Writes features of slides; some patients have two. */
async function writeSlides(
  to: string,
  change: (name: string, rows: Float32Array) => Float32Array = (_, rows) => rows,
  encoderOf: (name: string) => string = () => "world",
) {
  Deno.mkdirSync(to, { recursive: true });
  for (const { patient, rows } of world.slides) {
    for (const suffix of patient % 5 === 0 ? ["01Z-00-DX1", "01Z-00-DX2"] : ["01Z-00-DX1"]) {
      const name = `${barcode(patient)}-${suffix}`;
      const own = change(name, rows!);
      const table = { count: own.length / KW1.dim, dim: KW1.dim, attributes: { encoder: encoderOf(name) } };
      await writeFeatures(disk, `${to}/${name}.h5`, "h5", table, (a, b) => own.slice(a * KW1.dim, b * KW1.dim));
    }
  }
}

/** A matrix of genes by samples. */
function matrix(samples: readonly number[], extra: readonly string[] = []): string {
  const names = [...samples.map((p) => `${barcode(p)}-01`), ...extra];
  const head = ["sample", ...names].join("\t");
  const lines = world.genes.map((gene, g) =>
    [gene, ...samples.map((p) => world.rna[p * 100 + g]!), ...extra.map(() => 1)].join("\t")
  );
  return [head, ...lines].join("\n") + "\n";
}

const features = `${folder}/features`;
const expression = `${folder}/rna.tsv`;
const slides = `${folder}/slides.tsv`;
await writeSlides(features);
const everyone = Array.from({ length: patients }, (_, p) => p);
// Two patients lack RNA, one lacks a slide, one has normal tissue besides.
disk.write(expression, matrix(everyone.slice(2), ["TCGA-ZZ-9999-01", `${barcode(7)}-11`]));
const rows = [...Deno.readDirSync(features)].map(({ name }) => name.replace(/\.h5$/, "")).sort().map((name) => {
  const p = Number(name.slice(8, 12));
  return [name, barcode(p), p >= 18 ? "test" : "train", world.labels.get("sign of z0")![p]].join("\t");
});
disk.write(slides, ["slide_id\tcase_id\tfold_0\tz0", ...rows].join("\n") + "\n");

const KEYS: readonly string[] = [
  ...["steps=6", "batch_size=5", "tiles=3", "micro_batch=4", "hidden=6", "rna_hidden=7", "width=4", "n_genes=40"],
  ...["log_every=1", "save_every_steps=2", "arms=contrastive,direct,shuffled", "lr=1e-3", "eval_every=1"],
];
const args = (out: string, more: readonly string[] = [], from = features) => [
  ...["train", "--quiet", "method=bulk", "--features", from, "--out", out, `expression=${expression}`],
  ...KEYS,
  ...more,
];
const labelled = [`slides=${slides}`, "labels=z0"];

Deno.test("killed at random moments and resumed, the same bytes; then reported, checked and used", async () => {
  const job = {
    prepare: () => Promise.resolve(),
    args: (_: string, out: string) => args(out, labelled),
    isStray: isUnderWay,
    timeless: timelessOfRun,
  };
  const setting = { job, inputs: folder, out: `${folder}/run` };
  const whole = await runWhole(setting);
  const { kills, wrong } = await killAndResume(setting, whole, { kills: 2, seed: 3, rounds: 2 });
  assert.deepEqual([kills, wrong], [2, []]);
  assert.equal((await main(...args(setting.out, labelled))).code, 0);
  assert.equal((await main("inspect", setting.out, "--checksums")).code, 0);
  const inspected = await main("inspect", setting.out);
  assert.match(inspected.out, /^method +bulk$/m);
  assert.match(inspected.out, /^checkpoints +last at step \d+/m);
  assert.match(inspected.out, /^next +deno task embed FEATURES --run \S+run --out OUT$/m);
  const { probes, errors, facts } = await readEvidence({ path: setting.out, disk });
  assert.deepEqual(errors, []);
  assert.deepEqual(probes!.tasks.map(({ name }) => name), ["z0", "Expression"]);
  assert.deepEqual([probes!.train, probes!.test], [16, 6]);
  const told = facts!.warnings!.map(({ text }) => text);
  assert.equal(told.length, 3);
  assert.match(told[0]!, /^1 sample of normal tissue left out: TCGA-A1-0007-11/);
  assert.match(told[1]!, /^3 slides without RNA/);
  assert.match(told[2]!, /^1 patient with RNA but without slide: TCGA-ZZ-9999/);
  const page = Deno.readTextFileSync(`${setting.out}/report.html`);
  for (const text of ["Probes before and after.", "What was published of this design.", ">Tiles</th>"]) {
    assert.ok(page.includes(text), text);
  }
  const made = await main("embed", "--quiet", "--run", setting.out, "--out", `${folder}/made`, "--form", "direct");
  assert.equal(made.code, 0, made.err);
  const name = `${barcode(3)}-01Z-00-DX1.h5`;
  const [given, changed] = await Promise.all(["features", "made"].map(async (from) => {
    const file = await openFeatures(disk.open(`${folder}/${from}/${name}`, "read"));
    try {
      return { dim: file.dim, rows: await file.read() };
    } finally {
      file.close();
    }
  }));
  assert.equal(changed!.dim, given!.dim);
  assert.notDeepEqual(changed!.rows, given!.rows);
  // Features are never replaced by what was made of them.
  const before = Deno.readFileSync(`${features}/${name}`);
  const over = await main("embed", "--quiet", "--run", setting.out, "--out", `${features}/`, "--overwrite");
  assert.match(over.err, /Cannot write \S+features\/\S+\.h5: it is the input/);
  assert.equal(over.code, 2, over.err);
  assert.deepEqual(Deno.readFileSync(`${features}/${name}`), before);
  const halves = await main(
    "embed",
    "--quiet",
    "--run",
    setting.out,
    "--out",
    `${folder}/halves`,
    "--precision",
    "f16",
  );
  assert.equal(halves.code, 2);
  assert.match(halves.err, /Cannot embed features with .* in f16: what an arm adds to them is f32/);
  await writeSlides(`${folder}/foreign`, undefined, () => "another");
  const foreign = await main("embed", "--quiet", "--run", setting.out, "--out", `${folder}/x`, `${folder}/foreign`);
  assert.equal(foreign.code, 3, foreign.err);
  assert.match(foreign.err, /\.h5: their encoder is another, expected world/);
  assert.equal(disk.look(`${folder}/x/${name}`), undefined);
  assert.equal((await main("report", setting.out)).code, 0);
});

Deno.test("patients in no part of the fold take no part, and NaN among classes is no class", async () => {
  const table = `${folder}/parts.tsv`;
  const lines = rows.map((row) => {
    const [slide, id, part, label] = row.split("\t");
    const p = Number(id!.slice(8));
    return [slide, id, p === 4 ? "" : part, p === 6 ? "NaN" : label].join("\t");
  });
  disk.write(table, ["slide_id\tcase_id\tfold_0\tz0", ...lines].join("\n") + "\n");
  const keys = { features, expression, slides: table, labels: "z0" };
  const { patients, slides, labels, notes } = await openData(
    BULK_CONFIG.read([], Object.entries(keys)).config,
    hostOf(SILENT),
  );
  assert.ok(!patients.includes(barcode(4)) && patients.includes(barcode(6)));
  assert.deepEqual(
    [...new Set(slides.filter(({ part }) => part === "test").map(({ patient }) => patients[patient]!))].sort(),
    [18, 19, 20, 21, 22, 23].map(barcode).sort(),
  );
  assert.match(notes[0]!, /^1 slide in no part of fold_0: TCGA-A1-0004-01Z-00-DX1$/);
  assert.equal(labels.get("z0")![patients.indexOf(barcode(6))], "");
  assert.deepEqual([...new Set(labels.get("z0"))].sort(), ["", "down", "up"]);
});

Deno.test("what cannot be trained on is refused with its place, and leaves nothing", async () => {
  const refused = async (name: string, code: number, wanted: RegExp, words: readonly string[]) => {
    const { code: found, err } = await main(...words);
    assert.match(err, wanted);
    assert.equal(found, code, err);
    assert.equal(disk.look(`${folder}/${name}/config.yaml`), undefined, `${name} left a run`);
  };
  const out = (name: string, ...more: string[]) => args(`${folder}/${name}`, more);
  disk.write(`${folder}/genes.txt`, "G1\nG2\nNOGENE\n");
  await refused(
    "genes",
    4,
    /the expression lacks 1 of its 3 genes \(NOGENE\)/,
    out("genes", `gene_list=${folder}/genes.txt`),
  );
  disk.write(`${folder}/one.tsv`, matrix([3]));
  await refused("one", 4, /1 of 24 patients with slides and 1 with RNA have both, expected two or more/, [
    ...out("one"),
    `expression=${folder}/one.tsv`,
  ]);
  await refused("labels", 2, /Cannot probe z0: there is no table of slides/, out("labels", "labels=z0"));
  await refused("column", 4, /nothere is missing/, out("column", `slides=${slides}`, "labels=nothere"));
  const table = (name: string, head: string, edit: (fields: string[]) => string[]) => {
    disk.write(
      `${folder}/${name}.tsv`,
      [head, ...rows.map((row) => edit(row.split("\t")).join("\t"))].join("\n") + "\n",
    );
    return `slides=${folder}/${name}.tsv`;
  };
  const head = "slide_id\tcase_id\tfold_0\tz0";
  // Slide 9 is given to the patient of slide 8, of another class.
  const shared = (label: string) => ([slide, id, was, own]: string[]) =>
    slide!.includes("-0009-")
      ? [slide!, barcode(8), "train", label]
      : [slide!, id!, was!, slide!.includes("-0008-") ? "up" : own!];
  await refused(
    "classes",
    4,
    /classes\.tsv: patient TCGA-A\d-0008 has z0 (?:up|down) in line \d+ and (?:up|down) in line \d+, expected one/,
    out("classes", table("classes", head, shared("down")), "labels=z0"),
  );
  // Without case_id, barcodes are cut to patients.
  const cut = (part: string) => ([slide, , was]: string[]) => [
    slide!.includes("-0009-") ? `${barcode(8)}-01Z-00-DX2` : slide!,
    slide!.includes("-0009-") ? part : was!,
  ];
  await writeSlides(`${folder}/cut`);
  Deno.renameSync(`${folder}/cut/${barcode(9)}-01Z-00-DX1.h5`, `${folder}/cut/${barcode(8)}-01Z-00-DX2.h5`);
  await refused(
    "cut run",
    4,
    /cut\.tsv: patient TCGA-A\d-0008 has fold_0 (?:train|test) in line \d+ and (?:train|test) in line \d+, expected one/,
    args(`${folder}/cut run`, [table("cut", "slide_id\tfold_0", cut("test"))], `${folder}/cut`),
  );
  const keys = { features: `${folder}/cut`, expression, slides: table("cut", "slide_id\tfold_0", cut("")).slice(7) };
  const { patients: found } = await openData(BULK_CONFIG.read([], Object.entries(keys)).config, hostOf(SILENT));
  assert.ok(found.includes(barcode(8)) && !found.includes(barcode(9)));
  await refused(
    "short",
    4,
    /TCGA-A\d-0008-01Z-00-DX2 not in the table of slides \S+short\.tsv, expected every slide/,
    args(`${folder}/short`, [table("short", head, (fields) => fields)], `${folder}/cut`),
  );
  const all = table("all", head, ([slide, id, , label]) => [slide!, id!, "train", label!]);
  await refused(
    "all",
    4,
    /2\d train and 0 are tested on of 2\d patients, expected two or more and one/,
    out("all", all),
  );
  await refused(
    "idle",
    2,
    /Cannot align a modality: arms are direct, wanted one that compares vectors/,
    out("idle", `modality=${folder}/vectors.csv`, "arms=direct"),
  );
  await refused(
    "arm",
    2,
    /arms are twice, wanted each of contrastive, direct, shuffled, shuffled_direct at most once/,
    out("arm", "arms=twice"),
  );
  await writeSlides(`${folder}/two`, undefined, (name) => (name.includes("-0004-") ? "another" : "world"));
  await refused(
    "two run",
    5,
    /TCGA-A1-0004-01Z-00-DX1\.h5: their encoder is another, expected world/,
    args(`${folder}/two run`, [], `${folder}/two`),
  );
  await writeSlides(
    `${folder}/nan`,
    (name, rows) => name.includes("-0004-") ? rows.map((v, i) => (i === 70 ? NaN : v)) : rows,
  );
  await refused(
    "nan",
    4,
    /row 1, column 6 is NaN, expected a finite number/,
    args(`${folder}/nan run`, [], `${folder}/nan`),
  );
});
