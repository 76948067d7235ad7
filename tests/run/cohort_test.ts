/** Encoders on cohorts: scores that are known, what is left out named and counted, and files that are refused. */

import assert from "node:assert/strict";
import { makeFolds } from "../../src/data/cohort/folds.ts";
import { cohortText, readCohort } from "../../src/data/cohort/cohort_table.ts";
import { rocAuc } from "../../src/eval/classification.ts";
import { pearson } from "../../src/eval/correlation.ts";
import { deLong } from "../../src/eval/classification.ts";
import { resamples, summarizeDraws } from "../../src/eval/bootstrap.ts";
import { fitLogistic, logisticProbabilities } from "../../src/eval/logistic.ts";
import { evaluateCohort } from "../../src/eval/cohort/evaluate.ts";
import { cohortJson, predictionsCsv, scoresCsv } from "../../src/eval/cohort/output.ts";
import { parseCsv } from "../../src/io/csv.ts";
import { writeFeatures } from "../../src/embed/formats.ts";
import { disk } from "../../src/io/fs.ts";
import { openFeatures } from "../../src/io/features.ts";
import { loadCohort, openCohort } from "../../src/run/cohort.ts";
import { caseFacts, cohortTable, slidesOf, writeSlides } from "../cli/cohort_files.ts";
import { inFolder } from "../cli/shared.ts";

interface Setup {
  readonly task: string;
  readonly table?: string;
  readonly features?: readonly string[];
  readonly caseSlides?: "mean" | "combine";
  readonly expression?: string;
  readonly geneSets?: string;
}

/** Folds of the cohort that the features are of. */
function split(folds = 3, stratify = "HER2", cases?: number): string {
  return cohortText(makeFolds(readCohort(cohortTable(cases), "t"), { folds, stratify, seed: 0 }).table);
}

async function evaluate(
  folder: string,
  { task, table = split(), features = ["strong"], caseSlides = "mean", ...more }: Setup,
) {
  Deno.writeTextFileSync(`${folder}/k=all.tsv`, table);
  Deno.writeTextFileSync(`${folder}/config.yaml`, task);
  const files = features.map((name) => ({ name, path: `${folder}/${name}` }));
  const opened = openCohort({ split: `${folder}/k=all.tsv`, task: `${folder}/config.yaml`, features: files, ...more });
  const loaded = await loadCohort(opened, files, { caseSlides });
  return { loaded, result: await evaluateCohort(loaded.cohort, loaded.sources, { draws: 20 }) };
}

async function rejected(act: Promise<unknown>): Promise<Error & { exitCode?: number; code?: string }> {
  return await act.then(() => {
    throw new Error("Nothing was thrown");
  }, (error) => error);
}

/** Writes one slide's features. */
async function writeSlide(
  path: string,
  rows: Float32Array,
  dim = 6,
  attributes: Record<string, string | number> = { encoder: "made" },
) {
  const count = rows.length / dim;
  await writeFeatures(
    disk,
    path,
    "h5",
    { count, dim, attributes, coords: new Int32Array(2 * count) },
    (from, to) => rows.slice(from * dim, to * dim),
  );
}

/** Mean of a slide's rows, in one go. */
async function meanOf(path: string): Promise<number[]> {
  const file = await openFeatures(disk.open(path, "read"));
  const rows = await file.read();
  file.close();
  return Array.from({ length: file.dim }, (_, j) => {
    let sum = 0;
    for (let r = 0; r < file.count; r++) sum += rows[r * file.dim + j]!;
    return sum / file.count;
  });
}

Deno.test("a classification: scores of every fold are those of a logistic regression on means of slides' means", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    await writeSlides(`${folder}/weak`, { signal: 0.3, seed: 5 });
    const { result, loaded } = await evaluate(folder, { task: "task_col: HER2", features: ["weak", "strong"] });
    const { units, folds } = loaded.cohort;
    assert.deepEqual([units.length, folds.length, result.differences.length > 0], [30, 3, true]);
    const means = await Promise.all(units.map(async ({ slides }) => {
      const own = await Promise.all(slides.map((slide) => meanOf(`${folder}/strong/${slide}.h5`)));
      return own[0]!.map((_, j) => own.reduce((sum, one) => sum + one[j]!, 0) / own.length);
    }));
    const label = (u: number) => caseFacts(Number(units[u]!.case.slice(4))).label;
    const strong = result.rows.find(({ source }) => source === "strong")!;
    const tableOf = (rows: readonly number[]) => ({
      rows: rows.length,
      columns: 6,
      data: Float64Array.from(rows.flatMap((u) => means[u]!)),
    });
    const aucs = folds.map(({ train, test }) => {
      const model = fitLogistic(tableOf(train), train.map(label), { c: 0.5, balanced: true });
      const p = logisticProbabilities(model, tableOf(test), 2);
      return rocAuc(test.map(label), test.map((_, i) => p[2 * i + 1]!))!;
    });
    aucs.forEach((auc, f) => assert.ok(Math.abs(strong.folds[f]!["auc"]! - auc) < 1e-9));
    const { value, std, se, low, high } = strong.scores["auc"]!;
    const mean = aucs.reduce((a, b) => a + b) / 3;
    assert.ok(Math.abs(value! - mean) < 1e-12 && mean > 0.85);
    assert.ok(Math.abs(std! - Math.sqrt(aucs.reduce((sum, auc) => sum + (auc - mean) ** 2, 0) / 3)) < 1e-9);
    assert.ok(Math.abs(se! - std! / Math.sqrt(3)) < 1e-12 && low! <= value! && value! <= high!);
    const gain = result.differences.find(({ a, b, score }) =>
      a.source === "strong" && b.source === "weak" && score === "auc"
    )!;
    const weak = result.rows.find(({ source }) => source === "weak")!;
    gain.difference.by_fold.forEach((d, f) => assert.ok(Math.abs(d! - (aucs[f]! - weak.folds[f]!["auc"]!)) < 1e-9));
    const baseline = result.rows.find(({ source }) => source === undefined)!;
    assert.deepEqual([baseline.scores["auc"]!.value, baseline.scores["balanced_accuracy"]!.value], [0.5, 0.5]);
    // Tables: a line each, numbers as in the result.
    const [head, ...lines] = parseCsv(scoresCsv(result), "scores.csv");
    assert.deepEqual(head!.fields, ["source", "model", "fold", "score", "value"]);
    assert.equal(lines.length, 3 * 3 * 7);
    assert.equal(parseCsv(predictionsCsv(result), "p.csv").length, 1 + 3 * 30);
    assert.deepEqual((cohortJson(result) as { classes: string[] }).classes, ["0", "1"]);
  }));

Deno.test("one fold: interval by numpy's draws of cases, and DeLong between encoders", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`, { signal: 0.8 });
    await writeSlides(`${folder}/weak`, { signal: 0.5, seed: 5 });
    const table = cohortText(
      makeFolds(readCohort(cohortTable(), "t"), { folds: 1, testFraction: 0.5, stratify: "HER2", seed: 0 }).table,
    );
    const { result } = await evaluate(folder, { task: "task_col: HER2", table, features: ["weak", "strong"] });
    const [weak, strong] = result.rows;
    const { truth, test } = result.judged[0]!;
    const labels = (truth as unknown as { labels: number[] }).labels;
    const column = (row: typeof weak) => test.map((_, i) => row!.outputs[0]![2 * i + 1]!);
    const { interval, mean } = summarizeDraws(
      [...resamples(test.length, { draws: 20 })].map((rows) =>
        rocAuc([...rows].map((i) => labels[i]!), [...rows].map((i) => column(strong)[i]!))
      ),
    );
    const found = strong!.scores["auc"]!;
    assert.deepEqual([found.low, found.high, found.draws_mean], [...interval!, mean]);
    const gain = result.differences.find(({ a, b, score }) =>
      a.source === "strong" && b.source === "weak" && score === "auc"
    )!;
    assert.equal(gain.difference.delong_p, deLong(labels, column(strong), column(weak))!.p);
  }));

Deno.test("survival and regression find what the features hold, and the baseline does not", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    const os = await evaluate(folder, { task: "task_col: OS", table: split(3, "OS_event") });
    assert.deepEqual(os.result.rows.map(({ id }) => id), ["coxnet_0.07", "coxnet_0.02", "coxnet_0.01", "constant"]);
    assert.ok(os.result.rows[0]!.scores["cindex"]!.value! > 0.7);
    assert.equal(os.result.rows[3]!.scores["cindex"]!.value, 0.5);
    const score = await evaluate(folder, { task: "task_col: [score, OS_days]\ntask_type: regression" });
    const [ridge, mean] = score.result.rows;
    assert.ok(ridge!.perTarget!["score"]!["pearson"]! > 0.7, JSON.stringify(ridge!.perTarget));
    assert.equal(mean!.scores["pearson"]!.value, null);
    assert.ok(mean!.scores["r2"]!.value! <= 0 && ridge!.scores["mse"]!.value! < mean!.scores["mse"]!.value!);
    assert.equal(ridge!.scores["r2"]!.low, undefined);
    const [first] = score.result.judged;
    const { values } = first!.truth as unknown as { values: { data: Float64Array; rows: number } };
    const truth = Array.from({ length: values.rows }, (_, r) => values.data[2 * r]!);
    const said = truth.map((_, r) => ridge!.outputs[0]![2 * r]!);
    const own = pearson(said, truth).value!;
    const days = pearson(
      truth.map((_, r) => ridge!.outputs[0]![2 * r + 1]!),
      truth.map((_, r) => values.data[2 * r + 1]!),
    ).value!;
    assert.ok(Math.abs(ridge!.folds[0]!["pearson"]! - (own + days) / 2) < 1e-12);
  }));

Deno.test("gene sets scored on expression are targets; cases without expression take no part", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    const rows = Array.from({ length: 29 }, (_, at) => {
      const { score } = caseFacts(at);
      return `case${String(at).padStart(3, "0")},${score},${5 * score + 1},${(at * 7) % 11}`;
    });
    Deno.writeTextFileSync(`${folder}/x.csv`, ["case_id,UP1,UP2,NOISE", ...rows, ""].join("\n"));
    Deno.writeTextFileSync(`${folder}/s.gmt`, "UP\tx\tUP1\tUP2\tABSENT\nOTHER\t\tNOISE\n");
    const files = { expression: `${folder}/x.csv`, geneSets: `${folder}/s.gmt` };
    const { result, loaded } = await evaluate(folder, { task: "task_col: all\ntask_type: regression", ...files });
    assert.equal(loaded.cohort.units.length, 29);
    assert.deepEqual(Object.keys(result.rows[0]!.perTarget!), ["UP", "OTHER"]);
    assert.ok(result.rows[0]!.perTarget!["UP"]!["pearson"]! > 0.7);
    assert.ok(loaded.notes.some((text) => /1 gene of the sets not in/.test(text)), loaded.notes.join());
    assert.ok(
      loaded.notes.some((text) => /1 slide of cases without expression: case029_a/.test(text)),
      loaded.notes.join(),
    );
    const wrong = (task: string) => rejected(evaluate(folder, { task, ...files }));
    assert.match((await wrong("task_col: DOWN\ntask_type: regression")).message, /Cannot find gene set DOWN/);
    assert.match((await wrong("task_col: HER2")).message, /task_type of .* is not given, wanted regression/);
    Deno.writeTextFileSync(`${folder}/s.gmt`, "UP\tx\tABSENT\n");
    assert.match(
      (await wrong("task_col: UP\ntask_type: regression")).message,
      /none of its 1 genes is in the expression table/,
    );
  }));

Deno.test("slides without a file, tiles or finite numbers, or damaged, are left out for all encoders and named", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    await writeSlides(`${folder}/weak`, { signal: 0.3, seed: 5 });
    const at = (name: string, slide: string) => `${folder}/${name}/${slide}.h5`;
    await Deno.remove(at("weak", "case001_a"));
    await writeSlide(at("strong", "case002_a"), new Float32Array(0));
    await writeSlide(at("strong", "case004_a"), Float32Array.of(1, 2, 3, 4, 5, 6, 1, 2, NaN, 4, 5, 6));
    Deno.writeFileSync(at("weak", "case003_b"), Deno.readFileSync(at("weak", "case003_b")).subarray(0, 700));
    const bytes = Deno.readFileSync(at("strong", "case003_b"));
    bytes[bytes.length - 1]! ^= 1;
    Deno.writeFileSync(at("strong", "case003_b"), bytes);
    await writeSlide(at("weak", "stranger"), Float32Array.of(1, 2, 3, 4, 5, 6));
    const { result, loaded } = await evaluate(folder, { task: "task_col: HER2", features: ["weak", "strong"] });
    assert.deepEqual(loaded.leftOut.map(({ source, slide, code }) => [source, slide, code]), [
      ["weak", "case001_a", "missing"],
      ["weak", "case003_b", "damaged"],
      ["strong", "case002_a", "empty"],
      ["strong", "case003_b", "damaged"],
      ["strong", "case004_a", "not-finite"],
    ]);
    assert.match(loaded.leftOut[3]!.reason, /their SHA-256 is/);
    assert.match(loaded.leftOut[4]!.reason, /row 1, column 2 is NaN/);
    assert.ok(loaded.notes.some((text) => /weak: 1 slide with features but not in the table: stranger/.test(text)));
    // Case 3 goes on with its other slide, the other three cases are gone, for both encoders.
    assert.equal(loaded.cohort.units.length, 27);
    assert.deepEqual(loaded.cohort.units.find((unit) => unit.case === "case003")!.slides, ["case003_a"]);
    assert.ok(loaded.sources.every(({ x }) => x.rows === 27) && result.cases === 27);
  }));

Deno.test("features of two encoders in one folder are refused, by width or by what files say; so are folders without slides or in place of files", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    const files = { split: folder, task: `${folder}/config.yaml`, features: [] };
    assert.throws(() => openCohort(files), { message: `Cannot read ${folder}: it is a folder, a file is wanted` });
    assert.throws(() => openCohort({ ...files, split: files.task }), /config\.yaml: there is no such file/);
    const path = `${folder}/strong/case005_a.h5`;
    await writeSlide(path, new Float32Array(12), 6, { encoder: "another" });
    const said = await rejected(evaluate(folder, { task: "task_col: HER2" }));
    assert.match(said.message, /case005_a\.h5: encoder is another, expected made as in .*case000_a\.h5/);
    assert.deepEqual([said.exitCode, said.code], [4, "features-mixed"]);
    await writeSlide(path, new Float32Array(12), 4);
    assert.match(
      (await rejected(evaluate(folder, { task: "task_col: HER2" }))).message,
      /width of a row is 4, expected 6/,
    );
    const scaled = async (slide: string, scale: string) => {
      const table = {
        count: 1,
        dim: 6,
        attributes: { encoder: "made" },
        coords: new Int32Array(2),
        coordsAttributes: { scale },
      };
      await writeFeatures(disk, `${folder}/strong/${slide}.h5`, "h5", table, () => new Float32Array(6));
    };
    await scaled("case000_a", "nominal");
    await scaled("case005_a", "physical");
    assert.match(
      (await rejected(evaluate(folder, { task: "task_col: HER2" }))).message,
      /case005_a\.h5: scale is physical, expected nominal/,
    );
    Deno.mkdirSync(`${folder}/none`);
    const none = await rejected(evaluate(folder, { task: "task_col: HER2", features: ["none"] }));
    assert.match(none.message, /it holds no feature file/);
    await writeSlide(`${folder}/none/stranger.h5`, new Float32Array(6));
    const strangers = await rejected(evaluate(folder, { task: "task_col: HER2", features: ["none"] }));
    assert.match(strangers.message, /none of 40 slides can be used \(case000_a: no file in .*files of stranger/);
  }));

Deno.test("combine weighs slides by their tiles, and refuses tiles of two sizes", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    const path = (slide: string) => `${folder}/strong/${slide}.h5`;
    await writeSlide(path("case000_a"), Float32Array.of(1, 0, 0, 0, 0, 0), 6, {
      encoder: "made",
      patch_size_level0: 512,
    });
    await writeSlide(path("case000_b"), Float32Array.from({ length: 18 }, (_, k) => k % 6 ? 0 : 5), 6, {
      encoder: "made",
      patch_size_level0: 512,
    });
    const first = async (caseSlides: "mean" | "combine") =>
      (await evaluate(folder, { task: "task_col: HER2", caseSlides })).loaded.sources[0]!.x.data[0];
    assert.deepEqual([await first("mean"), await first("combine")], [3, 4]);
    await writeSlide(path("case000_b"), Float32Array.of(1, 0, 0, 0, 0, 0), 6, {
      encoder: "made",
      patch_size_level0: 256,
    });
    assert.match(
      (await rejected(first("combine"))).message,
      /slides of case case000: their tiles are 512 and 256 pixels/,
    );
    assert.equal(slidesOf(0).length, 2);
  }));

Deno.test("folds that lack a class, events or units are named; if none can be judged, the command ends", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`, { cases: 12 });
    const table = (part: (at: number, fold: number) => string, folds = 2, event = (_: number) => 1) => {
      const lines = Array.from(
        { length: 12 },
        (_, at) =>
          slidesOf(at).map((slide) =>
            [
              slide.slice(0, -2),
              slide,
              at % 2,
              event(at),
              caseFacts(at).days,
              ...Array.from({ length: folds }, (_, f) => part(at, f)),
            ].join("\t")
          ).join("\n"),
      );
      const head = [
        "case_id",
        "slide_id",
        "y",
        "OS_event",
        "OS_days",
        ...Array.from({ length: folds }, (_, f) => `fold_${f}`),
      ];
      return [head.join("\t"), ...lines, ""].join("\n");
    };
    // Fold 0 trains on one class; fold 1 tests one class; fold 2 is whole; fold 3 has no test part.
    const parts = (at: number, fold: number) =>
      fold === 0
        ? at % 2 ? "train" : "test"
        : fold === 1
        ? at % 2 && at > 5 ? "test" : "train"
        : fold === 2
        ? at > 7 ? "test" : "train"
        : "train";
    const { result } = await evaluate(folder, { task: "task_col: y", table: table(parts, 4) });
    assert.deepEqual(result.folds.map(({ judged, problems }) => [judged, problems]), [
      [false, ["no train unit of class 0", "no test unit of class 1", "one class only to train on"]],
      [true, ["no test unit of class 0"]],
      [true, []],
      [false, ["no test unit with features"]],
    ]);
    const { auc, balanced_accuracy } = result.rows[0]!.scores;
    assert.deepEqual([auc!.folds, balanced_accuracy!.folds, auc!.reason], [1, 2, "1 of 2 folds do not define it"]);
    const all = await rejected(evaluate(folder, { task: "task_col: y", table: table(parts, 1) }));
    assert.match(all.message, /none of 1 folds can be judged \(fold_0: no train unit of class 0/);
    assert.equal(all.exitCode, 4);
    const half = (at: number) => at < 6 ? "train" : "test";
    const os = await evaluate(folder, {
      task: "task_col: OS",
      table: table((at, f) => f ? half(at) : half(11 - at), 2, (at) => at < 6 ? 1 : 0),
    });
    assert.deepEqual(os.result.folds.map(({ judged, problems }) => [judged, problems]), [
      [false, ["no event among the training units"]],
      [true, ["no event among the test units"]],
    ]);
    assert.equal(os.result.rows[0]!.scores["cindex"]!.value, null);
    const none = await rejected(evaluate(folder, { task: "task_col: OS", table: table(half, 2, () => 0) }));
    assert.match(none.message, /no event among the training units/);
    const unsplit = await rejected(evaluate(folder, { task: "task_col: y", table: table(half, 0) }));
    assert.match(unsplit.message, /it has no column fold_0/);
  }));
