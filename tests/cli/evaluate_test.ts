/**
 * `evaluate` as users run it: HEST-Benchmark end to end next to Python, comparisons, and everything that can be wrong.
 *
 * @seconds 55
 */

import assert from "node:assert/strict";
import { task, until } from "./command.ts";
import { disk } from "../../src/io/fs.ts";
import { FEATURE_FORMATS } from "../../src/embed/formats.ts";
import { openFeatures } from "../../src/io/features.ts";
import { parseCsv } from "../../src/io/csv.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { writeH5ad } from "../../src/io/hdf5/h5ad_write.ts";
import { H5Writer } from "../../src/io/hdf5/h5_write.ts";
import { openPatches } from "../../src/io/patches.ts";
import fixture from "../fixtures/eval/hest_bench.json" with { type: "json" };
import { writeBenchInputs } from "../eval/bench_inputs.ts";
import { noise } from "../eval/inputs.ts";
import { FIXTURES, seal } from "./shared.ts";

const folder = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));
await writeBenchInputs(folder);

const BENCH = ["--bench", `${folder}/bench`];
const TINY = "random:vit_small_patch16_224?dim=32&depth=1&patch=16&img=32&seed=1";
const features = (name: string) => ["--features", `${folder}/features/${name}`];

/** Writes an .h5ad again with other names of genes. */
async function renameGenes(path: string, rename: (gene: string) => string): Promise<void> {
  const file = await H5ad.open(disk.open(path, "read"));
  const begin = await H5Writer.prepare();
  const spatial = { shape: [file.obs.index.length, 2] as const, values: file.spatial() };
  disk.writeAnywhere(`${path}.new`, (out) => {
    const h5 = begin(out);
    writeH5ad(h5, {
      obs: { index: file.obs.index },
      var: { index: file.var.index.map(rename) },
      x: file.x,
      obsm: { spatial },
    });
    h5.close();
  });
  file.close();
  Deno.renameSync(`${path}.new`, path);
}

// deno-lint-ignore no-explicit-any
type Json = any;

/** JSON with Python's bare NaN as null. */
const readJson = (path: string): Json => JSON.parse(Deno.readTextFileSync(path).replaceAll(/\bNaN\b/g, "null"));

/** Every field of `want` is in `got`, numbers within 1e-6. */
function same(got: Json, want: Json, where: string): void {
  if (typeof want === "number") {
    assert.equal(typeof got, "number", where);
    assert.ok(Math.abs(got - want) <= 1e-6 * Math.max(1, Math.abs(want)), `${where}: ${got}, ${want} wanted`);
  } else if (want !== null && typeof want === "object") {
    assert.equal(Array.isArray(got), Array.isArray(want), where);
    if (Array.isArray(want)) assert.equal(got.length, want.length, where);
    for (const key of Object.keys(want)) same(got[key], want[key], `${where}/${key}`);
  } else assert.equal(got, want, where);
}

/** Keys of every object are in order, as Python sorts them. */
function assertSorted(value: Json): void {
  if (value === null || typeof value !== "object") return;
  if (!Array.isArray(value)) assert.deepEqual(Object.keys(value), Object.keys(value).sort());
  Object.values(value).forEach(assertSorted);
}

Deno.test("evaluate --bench writes HEST-Benchmark's files as the procedure in Python does, field by field", async () => {
  const out = `${folder}/out`;
  const { code, out: text, err } = await seal(
    "evaluate",
    ...BENCH,
    ...features("oracle"),
    ...features("visible"),
    "--out",
    out,
    "--json",
  );
  assert.equal(code, 0, err);
  for (const [path, want] of Object.entries(fixture.files)) {
    const got = readJson(`${out}/${path}`);
    same(got, want, path);
    assertSorted(got);
    assert.match(Deno.readTextFileSync(`${out}/${path}`), /^\{\n {4}"/);
  }
  const [head, row] = parseCsv(Deno.readTextFileSync(`${out}/dataset_results.csv`), "csv").map(({ fields }) => fields);
  assert.deepEqual(head, fixture.csv.columns);
  fixture.csv.row.forEach((want, i) => same(typeof want === "number" ? Number(row![i]) : row![i], want, `csv ${i}`));
  const config = readJson(`${out}/SYN/oracle/split2/config.json`);
  assert.deepEqual([config.dimreduce, config.latent_dim, config.method, config.normalize, config.protocol], [
    "PCA",
    20,
    "ridge",
    true,
    "hest-bench/1",
  ]);
  assert.equal(config.genes.length, 50);

  const results = JSON.parse(text);
  assert.deepEqual(results, JSON.parse(Deno.readTextFileSync(`${out}/results.json`)));
  assert.deepEqual(results.encoders.map(({ name }: Json) => name), ["oracle", "visible"]);
  const kfold = fixture.files["SYN/oracle/results_kfold.json"];
  const [oracle, visible] = results.encoders.map(({ tasks }: Json) => tasks[0]);
  same(oracle.pearson, { mean: kfold.pearson_mean, std: kfold.pearson_std, per_fold: kfold.mean_per_split }, "results");
  same(
    oracle.pearson_per_slide.per_fold[1],
    fixture.files["SYN/oracle/split1/results.json"].per_sample_pearson_mean,
    "slides",
  );
  assert.equal(oracle.slide_probe.slides, 8);
  assert.ok(oracle.smooth_rank > 1 && oracle.smooth_rank <= 20);
  const [comparison] = results.comparisons;
  assert.deepEqual([comparison.a, comparison.b, comparison.task, comparison.metric, comparison.over, comparison.n], [
    "oracle",
    "visible",
    "SYN",
    "pearson",
    "folds",
    4,
  ]);
  comparison.differences.forEach((d: number, i: number) =>
    same(d, visible.pearson.per_fold[i] - oracle.pearson.per_fold[i], `${i}`)
  );
  // Four folds: no interval, and it says why.
  assert.deepEqual([comparison.interval, comparison.no_interval], [null, "4 folds, an interval takes 5"]);
  assert.match(err, /SYN {3}oracle +4 +0\.\d{4}/);
  assert.match(
    err,
    /visible less oracle, pooled Pearson: [+-]0\.\d{4} over 4 folds, better in \d; no interval: 4 folds/,
  );
  assert.doesNotMatch(err, /NaN/);

  const again = await seal("evaluate", ...BENCH, ...features("oracle"), "--out", out);
  assert.equal(again.code, 2);
  assert.match(again.err, /--overwrite/);
});

Deno.test("beside the benchmark stand, always, the headline and what depth alone scores, as plain loops in Python have them", async () => {
  const { code, out, err } = await seal(
    "evaluate",
    ...BENCH,
    ...features("oracle"),
    ...features("visible"),
    "--out",
    `${folder}/beside`,
    "--json",
  );
  assert.equal(code, 0, err);
  const { encoders, headline } = JSON.parse(out);
  assert.deepEqual([headline.protocol, headline.metric], ["depth-cv/1", "pearson_per_slide"]);
  const names = ["oracle", "visible"] as const;
  names.forEach((name, i) => {
    const [task] = encoders[i].tasks;
    const want = fixture.beside[name];
    const folds = (of: Json) =>
      Object.fromEntries(Object.entries(of).map(([key, { per_fold }]: Json) => [key, per_fold]));
    const rows = (key: "headline" | "headline_depth" | "depth", of: readonly string[]) =>
      Object.fromEntries(of.map((metric) => [metric, want.map((fold) => (fold[key] as Json)[metric])]));
    const three = ["pearson", "pearson_per_slide", "r2_intercept"];
    same(task.headline.folds.map(({ alpha }: Json) => alpha), want.map((fold) => fold.headline.alpha), "alpha");
    const { pearson, pearson_per_slide, r2_intercept } = task.headline;
    same(folds({ pearson, pearson_per_slide, r2_intercept }), rows("headline", three), `${name} headline`);
    same(folds(task.headline.baselines.depth_only), rows("headline_depth", three), `${name} depth`);
    same(folds(task.baselines.depth_only), rows("depth", three.slice(0, 2)), `${name} depth, benchmark`);
    same(task.headline.baselines.training_mean.r2.per_fold, want.map((fold) => fold.training_mean_r2), "mean");
    // Donors are not named in the benchmark's folder.
    assert.deepEqual(Object.keys(task.headline.donors), ["unknown"]);
    assert.deepEqual(task.headline.folds[0].alpha_search.by, "slides");
  });
  // Truth, penalty, panel and donors stand with both tables.
  const [first, second] = err.slice(err.indexOf("Headline, ")).split("Protocol hest-bench/1");
  assert.match(first!, /truth: ln\(1 \+ counts per 10,000\).*; penalty: cross-validated over training slides/);
  assert.match(second!, /truth: ln\(1 \+ count\), not normalised.*; penalty: 100\/\(features x targets\)/);
  for (const part of [first!, second!]) {
    assert.match(part, /panel: 50 genes, var_50genes\.json; donors: of 8 tested sections not known/);
    assert.match(part, /SYN +\(depth only\) +4 +-?0\.\d{4}/);
  }
  assert.match(first!, /SYN +\(training mean\) +4 +- /);
});

Deno.test("hest-bench-raw/1 scales nothing, as HEST without dimreduce, and its config says so", async () => {
  const args = ["evaluate", ...BENCH, ...features("visible"), "--protocol", "hest-bench-raw/1"];
  const { code, out, err } = await seal(...args, "--out", `${folder}/raw`, "--json");
  assert.equal(code, 0, err);
  const [task] = JSON.parse(out).encoders[0].tasks;
  const want = fixture.beside.visible.map(({ raw }) => raw);
  same(task.pearson.per_fold, want.map(({ pearson }) => pearson), "pearson");
  same(task.pearson_per_slide.per_fold, want.map(({ pearson_per_slide }) => pearson_per_slide), "per slide");
  const config = readJson(`${folder}/raw/SYN/visible/split0/config.json`);
  const { dimreduce, latent_dim, standardize, fit_intercept, target, normalize } = config;
  assert.deepEqual(
    { dimreduce, latent_dim, standardize, fit_intercept, target, normalize },
    {
      dimreduce: null,
      latent_dim: null,
      standardize: false,
      fit_intercept: false,
      target: "log1p counts",
      normalize: true,
    },
  );
});

Deno.test("exact solvers are within 2e-3 of the reference's randomised and iterative ones", () => {
  for (const name of ["oracle", "visible"] as const) {
    const exact = fixture.files[`SYN/${name}/results_kfold.json`].mean_per_split;
    fixture.literal[name].forEach((value, i) => assert.ok(Math.abs(value - exact[i]!) < 2e-3));
  }
});

Deno.test("evaluate embeds patches once: a second run over the same cache gives the same numbers without embedding", async () => {
  const args = ["evaluate", ...BENCH, "--encoder", TINY, "--cache", `${folder}/cache`, "--json"];
  const first = await seal(...args, "--out", `${folder}/e1`);
  assert.equal(first.code, 0, first.err);
  assert.match(first.err, /SYN0: 25 of 25 tiles/);
  const second = await seal(...args, "--out", `${folder}/e2`, "--per-gene");
  assert.equal(second.code, 0, second.err);
  assert.doesNotMatch(second.err, /tiles/);
  const [a, b] = [first, second].map(({ out }) => JSON.parse(out).encoders[0]);
  assert.deepEqual(a.tasks[0].pearson, b.tasks[0].pearson);
  assert.equal(a.encoder, TINY);
  assert.match(a.weights_sha256, /^[0-9a-f]{64}$/);
  assert.equal(a.tasks[0].per_gene, undefined);
  assert.equal(b.tasks[0].per_gene.length, 50);
  same(
    b.tasks[0].per_gene[0].mean,
    b.tasks[0].per_gene[0].pearson.reduce((x: number, y: number) => x + y, 0) / 4,
    "gene",
  );
  // Damaged features of the cache are made again, those that were given are refused.
  const [encoder] = [...Deno.readDirSync(`${folder}/cache`)];
  const kept = `${folder}/cache/${encoder!.name}/SYN/SYN1.h5`;
  const whole = Deno.readFileSync(kept);
  const features = await openFeatures(disk.open(kept, "read"));
  const last = new Uint8Array((await features.read(features.count - 1)).buffer);
  features.close();
  const damaged = whole.slice();
  damaged[whole.findIndex((_, at) => last.every((byte, i) => whole[at + i] === byte))]! ^= 4;
  Deno.writeFileSync(kept, damaged);
  const given = ["--features", `${folder}/cache/${encoder!.name}`];
  const refused = await seal("evaluate", ...BENCH, ...given, "--out", `${folder}/e5`);
  assert.equal(refused.code, 4, refused.err);
  assert.ok(refused.err.includes(`Cannot use features of ${kept}`), refused.err);
  const mended = await seal(...args, "--out", `${folder}/e6`);
  assert.equal(mended.code, 0, mended.err);
  assert.ok(mended.err.includes(`${kept} is made again: Cannot use features of ${kept}`), mended.err);
  assert.match(mended.err, /SYN1: 25 of 25 tiles/);
  assert.doesNotMatch(mended.err, /SYN0: \d+ of \d+ tiles/);
  assert.deepEqual(Deno.readFileSync(kept), whole);
  // Other patches under the same name are embedded anew.
  const path = `${folder}/bench/SYN/patches/SYN3.h5`;
  const [before, other] = [Deno.readFileSync(path), Deno.readFileSync(`${folder}/bench/SYN/patches/SYN3.h5`)];
  other[other.length - 5000]! ^= 1;
  Deno.writeFileSync(path, other);
  const third = await seal(...args, "--out", `${folder}/e3`);
  Deno.writeFileSync(path, before);
  assert.match(third.err, /SYN3: \d+ of \d+ tiles/);
  assert.doesNotMatch(third.err, /SYN0: \d+ of \d+ tiles/);
});

Deno.test("an adapter is compared with its encoder, by --adapter and as X+DIR, and keeps its features apart", async () => {
  const lora = `${FIXTURES}encoders/lora_uni`;
  const [plain, other] = [["--adapter", `${lora}/adapter`], ["--encoder", `${lora}+${lora}/seal_vision.pth`]];
  const cache = ["--cache", `${folder}/lora`];
  const { code, out, err } = await seal(
    "evaluate",
    ...BENCH,
    "--encoder",
    lora,
    ...plain,
    ...cache,
    "--out",
    `${folder}/l1`,
    "--json",
  );
  assert.equal(code, 0, err);
  const { encoders, comparisons } = JSON.parse(out);
  assert.deepEqual(encoders.map(({ name }: Json) => name), ["lora_uni", "lora_uni + adapter"]);
  assert.deepEqual(encoders.map(({ adapter }: Json) => adapter), ["none", "adapter"]);
  assert.notEqual(encoders[0].tasks[0].pearson.mean, encoders[1].tasks[0].pearson.mean);
  assert.equal(comparisons[0].b, "lora_uni + adapter");
  // Donors the adapter may have seen are those the penalty is chosen on.
  const note = "penalty of adapter: it may be too small if the adapter was trained on the donors it is chosen on";
  assert.deepEqual(encoders.map(({ tasks }: Json) => tasks[0].headline.penalty_note), [undefined, note]);
  assert.equal(err.split(note).length, 2, err);
  assert.equal([...Deno.readDirSync(`${folder}/lora`)].length, 2);
  // The same adapter as SEAL's checkpoint.
  const again = await seal("evaluate", ...BENCH, ...other, ...cache, "--out", `${folder}/l2`, "--json");
  assert.equal(again.code, 0, again.err);
  same(JSON.parse(again.out).encoders[0].tasks[0].pearson.mean, encoders[1].tasks[0].pearson.mean, "checkpoint");
  const random = await seal("evaluate", ...BENCH, "--encoder", TINY, ...plain, "--out", `${folder}/l3`);
  assert.match(random.err, /Cannot put adapter/);
});

Deno.test("features that are all equal: status 3, a reason for every gene, and no NaN in table or results.json", async () => {
  Deno.mkdirSync(`${folder}/features/flat`, { recursive: true });
  for (let s = 0; s < 8; s++) {
    const file = await openFeatures(disk.open(`${folder}/features/oracle/SYN${s}.h5`, "read"));
    const table = {
      count: file.count,
      dim: 3,
      attributes: {},
      rowNames: { kind: "barcode", values: file.barcodes! },
    } as const;
    file.close();
    const rows = (from: number, to: number) => new Float32Array(3 * (to - from)).fill(1.25);
    await FEATURE_FORMATS.h5(disk, `${folder}/features/flat/SYN${s}.h5`, table, rows);
  }
  const { code, out, err } = await seal(
    "evaluate",
    ...BENCH,
    ...features("flat"),
    "--out",
    `${folder}/flat`,
    "--json",
    "--per-gene",
  );
  assert.equal(code, 3, err);
  assert.doesNotMatch(out + err, /NaN/);
  const [task] = JSON.parse(out).encoders[0].tasks;
  assert.equal(task.degenerate.length, 200);
  assert.deepEqual(new Set(task.degenerate.map(({ reason }: Json) => reason)), new Set(["constant prediction"]));
  assert.equal(task.pearson.mean, 0);
  assert.match(err, /split0: SYN\w+ has no correlation \(constant prediction\) and counts as 0/);
  // HEST's file has the bare NaN its readers expect, with the reason beside it.
  const text = Deno.readTextFileSync(`${folder}/flat/SYN/flat/split0/results.json`);
  assert.match(text, /"pearson_corr": NaN,\n +"reason": "constant prediction"/);
  assert.equal(readJson(`${folder}/flat/SYN/flat/split0/results.json`).pearson_mean, 0);
});

Deno.test("a panel gene that a sample lacks stops everything, naming both", async () => {
  const path = `${folder}/bench/SYN/var_50genes.json`;
  const before = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, before.replace('"genes":["', '"genes":["EPCAM","'));
  const { code, err } = await seal("evaluate", ...BENCH, ...features("oracle"), "--out", `${folder}/gene`);
  Deno.writeTextFileSync(path, before);
  assert.equal(code, 4, err);
  assert.match(err, /SYN\d.*EPCAM/);
  assert.equal(disk.look(`${folder}/gene/results.json`), undefined);
});

Deno.test("what is wrong with one of several sources is told before any is evaluated, and nothing is left", async () => {
  Deno.mkdirSync(`${folder}/features/none`, { recursive: true });
  const names = [...Deno.readDirSync(`${folder}/features/oracle`)].map(({ name }) => name).sort();
  for (const name of ["damaged", "other"]) Deno.mkdirSync(`${folder}/features/${name}`);
  for (const name of names) {
    const bytes = Deno.readFileSync(`${folder}/features/oracle/${name}`);
    // Of the last sample alone, so that the others would be read.
    const last = name === names.at(-1);
    Deno.writeFileSync(`${folder}/features/damaged/${name}`, last ? bytes.slice(0, bytes.length / 2) : bytes);
    Deno.copyFileSync(`${folder}/features/oracle/${last ? names[0] : name}`, `${folder}/features/other/${name}`);
  }
  const cases: [string[], number, RegExp][] = [
    [features("typo"), 4, /Cannot evaluate typo: there is no folder .*typo[^]*hint: Give a folder that embed wrote/],
    [features("none"), 4, /no features of SYN\d/],
    [features("damaged"), 4, /damaged.*SYN\d\.h5/],
    [features("other"), 4, /SYN\d/],
    [["--encoder", "unii"], 2, /Did you mean uni\?/],
    [["--encoder", `${folder}/features/none`], 4, /no weights/],
  ];
  for (const [more, status, told] of cases) {
    const out = `${folder}/refused/${more[1]!.split("/").at(-1)}`;
    for (const sources of [more, [...features("oracle"), ...more]]) {
      const { code, err } = await seal("evaluate", ...BENCH, ...sources, "--out", out);
      assert.equal(code, status, `${more}: ${err}`);
      assert.match(err, told);
      assert.equal(disk.look(`${folder}/refused`), undefined, String(more));
    }
  }
});

Deno.test("of several sources one that fails when its turn comes does not stop the others: status 3, and it is listed", async () => {
  // Colours are of patches, which the features do not need.
  const bench = `${folder}/unnamed`;
  Deno.mkdirSync(`${bench}/SYN/patches`, { recursive: true });
  for (const { name } of Deno.readDirSync(`${folder}/bench/SYN`)) {
    if (name !== "patches") Deno.symlinkSync(`${folder}/bench/SYN/${name}`, `${bench}/SYN/${name}`);
  }
  const begin = await H5Writer.prepare();
  for (const { name } of Deno.readDirSync(`${folder}/features/oracle`)) {
    disk.writeAnywhere(`${bench}/SYN/patches/${name}`, (file) => {
      const h5 = begin(file);
      h5.dataset("/img", "u1", [2, 8, 8, 3], new Uint8Array(2 * 8 * 8 * 3));
      h5.dataset("/coords", "i4", [2, 2], new Int32Array(4));
      h5.close();
    });
  }
  const args = ["evaluate", "--bench", bench, "--encoder", "colour"];
  const alone = await seal(...args, "--out", `${folder}/alone`);
  assert.equal(alone.code, 4, alone.err);
  const { code, out, err } = await seal(...args, ...features("oracle"), "--out", `${folder}/some`, "--json");
  assert.equal(code, 3, err);
  const { encoders, failures } = JSON.parse(out);
  assert.deepEqual([encoders.length, failures.length, failures[0].encoder], [1, 1, "colour"]);
  assert.match(err, /failed: colour: /);
});

Deno.test("evaluate --bench names the published table where a task is one of its, and only by its protocol", async () => {
  Deno.mkdirSync(`${folder}/as_idc`);
  Deno.symlinkSync(`${folder}/bench/SYN`, `${folder}/as_idc/IDC`);
  const args = ["evaluate", "--bench", `${folder}/as_idc`, ...features("oracle")];
  const { code, out, err } = await seal(...args, "--out", `${folder}/idc`, "--json");
  assert.equal(code, 0, err);
  const { rows, source } = JSON.parse(out).published;
  assert.equal(rows.length, 26);
  assert.deepEqual(rows.find(({ name }: Json) => name === "UNI2-h").tasks, { IDC: 0.5898 });
  assert.ok(err.includes(source));
  assert.match(err, /> oracle +0\.\d{4}/);
  assert.match(err, /UNI2-h +0\.5898/);
  const raw = await seal(...args, "--out", `${folder}/idc_raw`, "--json", "--protocol", "hest-bench-raw/1");
  assert.equal(JSON.parse(raw.out).published, undefined);
});

Deno.test("every protocol runs; SEAL's has five random folds, the cross-validated one says its penalty", async () => {
  for (const [protocol, folds] of [["seal/1", 5], ["hest-bench-cv/1", 4], ["hest-bench-raw/1", 4]] as const) {
    const { code, out, err } = await seal(
      "evaluate",
      ...BENCH,
      ...features("oracle"),
      "--protocol",
      protocol,
      "--out",
      `${folder}/${protocol}`,
      "--json",
    );
    assert.equal(code, 0, err);
    const [task] = JSON.parse(out).encoders[0].tasks;
    assert.equal(task.folds.length, folds);
    const [fold] = task.folds;
    if (protocol === "seal/1") {
      assert.deepEqual([fold.n_train + fold.n_test, fold.n_train], [task.spots, Math.floor(.8 * task.spots)]);
    }
    if (protocol === "hest-bench-cv/1") {
      assert.ok(fold.alpha >= 1 && task.r2_intercept.mean > -0.5, JSON.stringify(fold));
    } else assert.equal(fold.alpha, 100 / (20 * 50));
  }
});

Deno.test("evaluate --data: the folder's splits and panel, whole donors left out, panels chosen by each fold, few shots", async () => {
  const data = `${folder}/data`;
  const made = await seal("synth", "--out", data, "--profile", "smoke", "--rows", "5", "--cols", "10", "--quiet");
  assert.equal(made.code, 0, made.err);
  const args = ["evaluate", "--data", data, "--encoder", TINY, "--cache", `${folder}/cache`, "--json"];
  const other = TINY.replace("seed=1", "seed=2");
  const split = await seal(...args, "--encoder", other, "--out", `${folder}/d1`);
  assert.ok([0, 3].includes(split.code), split.err);
  const own = JSON.parse(split.out);
  assert.deepEqual(own.tasks[0].folds, [{ name: "split0", train: ["SYN0", "SYN1", "SYN2"], test: ["SYN3"] }]);
  assert.equal(own.tasks[0].panel.genes.length, 50);
  assert.match(own.tasks[0].panel.sha256, /^[0-9a-f]{64}$/);
  // With a single fold the pairs are genes.
  const { over, n } = own.comparisons[0];
  assert.deepEqual([over, n], ["genes", 50]);

  Deno.removeSync(`${data}/var_50genes.json`);
  const chosen = await seal(
    ...args,
    "--leave-out",
    "donor",
    "--panel-genes",
    "9",
    "--per-gene",
    "--few-shot",
    "array_row",
    "--out",
    `${folder}/d2`,
  );
  assert.ok([0, 3].includes(chosen.code), chosen.err);
  const { tasks: [task], encoders: [{ tasks: [result] }] } = JSON.parse(chosen.out);
  assert.equal(task.panel, "chosen on the training samples of each fold");
  assert.deepEqual(task.folds.map(({ test }: Json) => test.join("")), ["SYN0", "SYN1", "SYN2", "SYN3"]);
  assert.ok(result.per_gene.length > 9, "folds choose different genes");
  // One organ: what is said of it is what is said of its donors.
  const { organs, donors, along_genes: along } = result.headline;
  assert.deepEqual(organs, {
    mean_of_organs: donors.unseen.pearson_per_slide,
    by_organ: { Synthetic: { sections: 4, pearson_per_slide: donors.unseen.pearson_per_slide } },
  });
  assert.ok(along.mse > 0 && along.constant_predictions === 0, JSON.stringify(along));
  for (const key of ["pearson", "spearman", "spearman_ordinal"]) assert.ok(along[key] > 0.1 && along[key] < 1, key);
  assert.ok(result.per_gene.every(({ pearson }: Json) => pearson.length >= 1 && pearson.length <= 4));
  const [encoder] = [...Deno.readDirSync(`${folder}/d2/data`)].filter(({ isDirectory }) => isDirectory);
  const config = (fold: number) => readJson(`${folder}/d2/data/${encoder!.name}/split${fold}/config.json`);
  assert.equal(config(0).genes.length, 9);
  assert.deepEqual(result.few_shot[0].classes, ["0", "1", "2", "3", "4"]);
  assert.deepEqual(result.few_shot[0].balanced_accuracy.map(({ k }: Json) => k), [1, 2, 4, 8, 16, 32]);
  assert.match(result.few_shot[0].balanced_accuracy[5].reason, /has \d+ training rows/);
  assert.match(chosen.err, /Balanced accuracy after k labelled spots/);
  const lacking = await seal(...args, "--few-shot", "cluster", "--leave-out", "donor", "--out", `${folder}/d3`);
  assert.equal(lacking.code, 4);
  assert.match(lacking.err, /obs has no column cluster/);
});

Deno.test("genes that tested samples lack are no part of the panel, and are named; of a panel that was given they are left out", async () => {
  const data = `${folder}/lacking`;
  const made = await seal("synth", "--out", data, "--profile", "smoke", "--rows", "5", "--cols", "10", "--quiet");
  assert.equal(made.code, 0, made.err);
  const panel = JSON.parse(Deno.readTextFileSync(`${data}/var_50genes.json`)).genes as string[];
  Deno.removeSync(`${data}/var_50genes.json`);
  Deno.removeSync(`${data}/splits`, { recursive: true });
  const args = ["evaluate", "--data", data, "--encoder", "colour", "--encoder", "oracle:visible", "--json"];
  const before = await seal(...args, "--panel-genes", "20", "--out", `${folder}/p0`);
  assert.equal(before.code, 0, before.err);
  const [whole] = JSON.parse(before.out).tasks[0].panels;
  assert.deepEqual([whole.genes.length, whole.left_out], [20, []]);
  // The first fold tests SYN0; it loses three genes that the panel had.
  const gone = whole.genes.slice(0, 3) as string[];
  await renameGenes(`${data}/st/SYN0.h5ad`, (gene) => gone.includes(gene) ? `OTHER_${gene}` : gene);
  const { code, out, err } = await seal(...args, "--panel-genes", "20", "--out", `${folder}/p1`);
  assert.equal(code, 0, err);
  const [own] = JSON.parse(out).tasks[0].panels;
  assert.equal(own.genes.length, 20);
  assert.ok(gone.every((gene) => !own.genes.includes(gene)));
  assert.deepEqual(own.left_out, gone.map((gene) => ({ gene, reason: "SYN0 lacks it" })));
  assert.match(err, new RegExp(`lacking, .+: 3 genes left out of the panel: ${gone[0]} \\(SYN0 lacks it\\)`));
  // More than there are: said before any feature is made.
  const early = ["--panel-genes", "5000", "--cache", `${folder}/never`, "--out", `${folder}/p4`];
  const many = await seal("evaluate", "--data", data, "--encoder", TINY, ...early);
  assert.equal(many.code, 4, many.err);
  assert.match(many.err, /Cannot choose 5000 genes/);
  assert.equal(disk.look(`${folder}/never`), undefined);
  // A file of genes: the ones all samples have, status 3, for they were asked for.
  Deno.writeTextFileSync(`${folder}/panel.json`, JSON.stringify({ genes: [...panel.slice(0, 9), gone[0]] }));
  const given = await seal(...args, "--panel", `${folder}/panel.json`, "--out", `${folder}/p2`);
  assert.equal(given.code, 3, given.err);
  const { genes, left_out } = JSON.parse(given.out).tasks[0].panel;
  assert.ok(left_out.some(({ gene }: Json) => gene === gone[0]) && !genes.includes(gone[0]) && genes.length >= 6);
  Deno.writeTextFileSync(`${folder}/panel.json`, JSON.stringify({ genes: [gone[0]] }));
  const none = await seal(...args, "--panel", `${folder}/panel.json`, "--out", `${folder}/p3`);
  assert.equal(none.code, 4, none.err);
  assert.match(none.err, /none of its 1 genes is in all samples/);
});

Deno.test("sections of donors seen and unseen have numbers of their own; five folds of two donors have no interval", async () => {
  const data = `${folder}/donors`;
  const synth = ["--profile", "smoke", "--rows", "5", "--cols", "10", "--slides-per-donor", "3", "--slides", "6"];
  const made = await seal("synth", "--out", data, ...synth, "--quiet");
  assert.equal(made.code, 0, made.err);
  Deno.removeSync(`${data}/splits`, { recursive: true });
  const args = ["evaluate", "--data", data, "--encoder", "colour", "--encoder", "oracle:visible", "--json"];
  const sample = await seal(...args, "--leave-out", "sample", "--out", `${folder}/s1`);
  assert.ok([0, 3].includes(sample.code), sample.err);
  const bySample = JSON.parse(sample.out);
  const { donors } = bySample.encoders[0].tasks[0].headline;
  assert.deepEqual([donors.seen.donors, donors.seen.sections, donors.unseen], [2, 6, undefined]);
  assert.match(sample.err, /donors: 2 donors tested \(6 sections\) that the same fold trained on/);
  for (const { interval, no_interval, donors } of bySample.comparisons) {
    assert.deepEqual([interval, no_interval, donors], [null, "2 donors, an interval takes 5", 2]);
  }
  const donor = await seal(...args, "--leave-out", "donor", "--out", `${folder}/s2`);
  assert.ok([0, 3].includes(donor.code), donor.err);
  const task = JSON.parse(donor.out).encoders[0].tasks[0].headline;
  assert.deepEqual([task.donors.unseen.donors, task.donors.unseen.sections, task.donors.seen], [2, 6, undefined]);
  // One donor is left to train on in each fold: its sections are what the penalty is chosen by.
  assert.deepEqual(task.folds[0].alpha_search.by, "slides");
  // Splits of one's own with a donor on both sides: each kind apart.
  Deno.mkdirSync(`${data}/splits`);
  const csv = (ids: string[]) =>
    ["sample_id,patches_path,expr_path", ...ids.map((id) => `${id},patches/${id}.h5,st/${id}.h5ad`)].join("\n");
  Deno.writeTextFileSync(`${data}/splits/train_0.csv`, csv(["SYN0", "SYN1"]));
  Deno.writeTextFileSync(`${data}/splits/test_0.csv`, csv(["SYN2", "SYN3", "SYN4"]));
  const own = await seal(...args, "--out", `${folder}/s3`);
  assert.ok([0, 3].includes(own.code), own.err);
  const { headline } = JSON.parse(own.out).encoders[0].tasks[0];
  const slide = (id: string) => headline.folds[0].per_slide.find(({ sample }: Json) => sample === id).pearson_mean;
  same(headline.donors.seen, { donors: 1, sections: 1, pearson_per_slide: slide("SYN2") }, "seen");
  same(
    headline.donors.unseen,
    { donors: 1, sections: 2, pearson_per_slide: (slide("SYN3") + slide("SYN4")) / 2 },
    "unseen",
  );
  assert.match(own.err, /unseen donors +seen donors/);
  // A training section without a name may be of anyone: then nobody is known to be unseen.
  const metadata = readJson(`${data}/metadata/SYN1.json`);
  Deno.writeTextFileSync(`${data}/metadata/SYN1.json`, JSON.stringify({ ...metadata, patient: null }));
  const unnamed = await seal(...args, "--out", `${folder}/s4`);
  assert.ok([0, 3].includes(unnamed.code), unnamed.err);
  const kinds = JSON.parse(unnamed.out).encoders[0].tasks[0].headline.donors;
  assert.deepEqual(Object.keys(kinds).sort(), ["seen", "unknown"]);
});

Deno.test("R2 far below zero is warned of, with the protocol and by how much it misses", async () => {
  // 45 columns of noise on 40 training spots: the benchmark's penalty lets them fit anything.
  const narrow = `${folder}/narrow`;
  const made = await seal(
    "synth",
    "--out",
    narrow,
    "--profile",
    "smoke",
    "--rows",
    "5",
    "--cols",
    "10",
    "--slides",
    "3",
    "--quiet",
  );
  assert.equal(made.code, 0, made.err);
  Deno.mkdirSync(`${folder}/features/noise`, { recursive: true });
  for (const [s, id] of ["SYN0", "SYN1", "SYN2"].entries()) {
    const patches = await openPatches(disk.open(`${narrow}/patches/${id}.h5`, "read"));
    const barcodes = [...patches.barcodes!];
    patches.close();
    const { data } = noise(40 + s, barcodes.length, 95);
    const table = {
      count: barcodes.length,
      dim: 95,
      attributes: {},
      rowNames: { kind: "barcode", values: barcodes },
    } as const;
    const rows = (from: number, to: number) => Float32Array.from(data.subarray(from * 95, to * 95));
    await FEATURE_FORMATS.h5(disk, `${folder}/features/noise/${id}.h5`, table, rows);
  }
  const { out, err } = await seal(
    "evaluate",
    "--data",
    narrow,
    ...features("noise"),
    "--out",
    `${folder}/n1`,
    "--json",
  );
  const [task] = JSON.parse(out).encoders[0].tasks;
  assert.ok(task.r2_intercept.mean < -1, `${task.r2_intercept.mean}`);
  assert.ok(task.headline.r2_intercept.mean > task.r2_intercept.mean + 0.5, `${task.headline.r2_intercept.mean}`);
  const warning = task.warnings.find((text: string) => /hest-bench/.test(text));
  assert.match(
    warning,
    /hest-bench\/1: R2 is .* times that of the mean of the tested spots, R2 of the training mean is .*; the protocol's penalty/,
  );
  assert.ok(err.includes(warning));
});

Deno.test("oracles of synthetic data need no GPU, and are what the true fields give", async () => {
  const rows = ["oracle:all", "oracle:visible", "colour"];
  const args = ["evaluate", ...BENCH, ...rows.flatMap((name) => ["--encoder", name])];
  const { code, out, err } = await seal(...args, "--out", `${folder}/oracles`, "--json");
  assert.equal(code, 0, err);
  const { encoders } = JSON.parse(out);
  assert.deepEqual(encoders.map(({ name, tasks: [{ dim }] }: Json) => [name, dim]), [["oracle:all", 8], [
    "oracle:visible",
    6,
  ], ["colour", 54]]);
  const [all, visible, colour] = encoders.map((
    { tasks: [{ pearson, pearson_visible }] }: Json,
  ) => [pearson.mean, pearson_visible.mean]);
  assert.ok(all[0] > visible[0] + 0.02 && visible[0] > colour[0], JSON.stringify({ all, visible, colour }));
  assert.ok(visible[1] > visible[0], "hidden programs cannot be seen");
  assert.match(err, /rank +visible/);
});

Deno.test("evaluate stopped by SIGTERM exits 75, says how to go on and leaves no results", async () => {
  const slow = TINY.replace("depth=1&patch=16&img=32", "depth=6&patch=8&img=224").replace("dim=32", "dim=64");
  const args = ["evaluate", ...BENCH, "--encoder", slow, "--batch-size", "4", "--out", `${folder}/stopped`];
  const child = task(args, { stdout: "null" }).spawn();
  await until(child, () => disk.look(`${folder}/stopped/features`));
  child.kill("SIGTERM");
  const { code, stderr } = await child.output();
  assert.equal(code, 75);
  assert.match(new TextDecoder().decode(stderr), /go on with: deno task evaluate/);
  assert.equal(disk.look(`${folder}/stopped/results.json`), undefined);
});

Deno.test("evaluate rejects wrong usage with status 2 before anything starts", async () => {
  for (
    const [args, message] of [
      [[...BENCH], /no --encoder/],
      [[...features("oracle")], /neither --data nor|neither/],
      [[...BENCH, "--data", folder, ...features("oracle")], /both/],
      [[...BENCH, "--task", "IDC", ...features("oracle")], /has SYN/],
      [[...BENCH, "--folds", "3", ...features("oracle")], /--folds with --bench/],
      [[...BENCH, "--protocol", "hest", ...features("oracle")], /hest-bench\/1/],
      [[...BENCH, "--adapter", "a", "--encoder", "uni", "--encoder", "conch"], /one encoder wanted/],
      [["--data", folder, "--folds", "3", "--leave-out", "organ", ...features("oracle")], /--folds and --leave-out/],
    ] as const
  ) {
    const { code, err } = await seal("evaluate", ...args, "--out", `${folder}/wrong`);
    assert.equal(code, 2, err);
    assert.match(err, message);
  }
});
