/**
 * `mil`: all folds of a cohort, each a run that is resumed, judged on the same cases as models of the mean.
 *
 * @seconds 60
 */

import assert from "node:assert/strict";
import { makeFolds } from "../../../src/data/cohort/folds.ts";
import { cohortText, readCohort } from "../../../src/data/cohort/cohort_table.ts";
import type { DataError } from "../../../src/core/errors.ts";
import { SILENT } from "../../../src/core/reporter.ts";
import { Rng } from "../../../src/core/rng.ts";
import { convertFeatures } from "../../../src/embed/convert_features.ts";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { rocAuc } from "../../../src/eval/classification.ts";
import { parseCsv } from "../../../src/io/csv.ts";
import { openFeatures } from "../../../src/io/features.ts";
import { H5File } from "../../../src/io/hdf5/h5.ts";
import { disk, makeFolder } from "../../../src/io/fs.ts";
import { loadMethod } from "../../../src/methods/index.ts";
import { mil, type MilRequest } from "../../../src/run/mil.ts";
import type { FoldMethod } from "../../../src/run/mil_runs.ts";
import { isUnderWay, timelessOfFolds } from "../../../scripts/kill_jobs.ts";
import { killAndResume, runWhole } from "../../../scripts/kill_resume.ts";
import { cohortTable, slidesOf, writeSlides } from "../../cli/cohort_files.ts";
import { inFolder } from "../../cli/shared.ts";
import { openGpu } from "../../gpu/shared.ts";

const method = await loadMethod("mil") as FoldMethod;
const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const TASKS = {
  HER2: "task_col: HER2\nsample_col: case_id\nlabel_dict:\n  0: negative\n  1: positive\n",
  OS: "task_col: OS\nsample_col: case_id\ntask_type: survival\n",
  score: "task_col: [score, OS_days]\nsample_col: case_id\ntask_type: regression\n",
} as const;

/** Folds of the cohort. */
function split(folds = 2, cases?: number): string {
  return cohortText(makeFolds(readCohort(cohortTable(cases), "t"), { folds, stratify: "HER2", seed: 0 }).table);
}

/** Small models that learn in a second. */
const KEYS = [["hidden", "8"], ["width", "8"], ["epochs", "12"], ["lr", "0.01"], ["log_every", "5"]] as const;

interface Given extends Partial<Omit<MilRequest, "files">> {
  readonly table?: string;
  readonly task?: string;
  readonly features?: readonly string[];
  readonly pathways?: { readonly expression: string; readonly geneSets: string };
}

/** Runs it on a cohort whose features are in `strong`; the lines it says and warns of. */
async function run(
  folder: string,
  { table = split(), task = TASKS.HER2, features = ["strong"], pathways, ...given }: Given = {},
) {
  Deno.writeTextFileSync(`${folder}/k=all.tsv`, table);
  Deno.writeTextFileSync(`${folder}/config.yaml`, task);
  const said: string[] = [];
  const steps: string[] = [];
  const result = await mil({
    method,
    files: {
      split: `${folder}/k=all.tsv`,
      task: `${folder}/config.yaml`,
      features: features.map((name) => ({ name, path: `${folder}/${name}` })),
      ...pathways,
    },
    models: ["abmil", "mean"],
    caseSlides: "combine",
    draws: 20,
    seed: 0,
    seeds: 1,
    keys: KEYS,
    dryRun: false,
    out: `${folder}/out`,
    overwrite: false,
    settings: {},
    ...given,
  }, {
    reporter: {
      ...SILENT,
      say: (text) => said.push(text),
      warn: (text) => said.push(text),
      training: ({ what, step }) => steps.push(`${what}: ${step} after ${said.length}`),
    },
    signal: new AbortController().signal,
    clock: { date: () => new Date(0), ms: () => performance.now() },
    openGpu: () => Promise.resolve(gpu),
    keepGpu: true,
    gracefully: (act) => act(),
    command: "deno task mil",
    versions: {},
  });
  return { ...result, said, steps, rows: new Map(result.found?.rows.map((row) => [`${row.source} ${row.id}`, row])) };
}

/** A table of the result as objects. */
function table(folder: string, name: string): Record<string, string>[] {
  const [head, ...lines] = parseCsv(Deno.readTextFileSync(`${folder}/out/${name}`), name);
  return lines.map(({ fields }) => Object.fromEntries(head!.fields.map((column, i) => [column, fields[i]!])));
}

Deno.test("classes: each fold is trained and tested on all tiles, and judged beside the mean on the same cases", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    const { json, status, said, steps, rows, found } = await run(folder, {
      models: ["abmil", "gated", "clam", "meanmil", "mean", "retrieval"],
    });
    assert.equal(status, 0);
    assert.match(
      String(json.made_of),
      /^encoder strong \(.+\); split [0-9a-f]{12} \(SHA-256\); seed 0; .+, buffers of \d+ MiB, bindings of \d+ MiB at most$/,
    );
    assert.ok(Deno.readTextFileSync(`${folder}/out/report.html`).includes(`Made of: ${json.made_of}.`));
    for (const id of ["mean_logistic", "abmil", "gated", "clam", "meanmil"]) {
      const { value, folds, low, high, se } = rows.get(`strong ${id}`)!.scores.auc!;
      assert.ok(value! > 0.75 && low! <= high! && se !== undefined && folds === 2, `${id}: ${value}`);
    }
    // The cost is said before the first step.
    const cost = said.findIndex((line) => /^To train: 8 of 8 runs, about .* of disk on /.test(line));
    assert.ok(
      cost >= 0 && said.filter((line) => /2 runs of \d+ steps, .* each, tests of/.test(line)).length === 4,
    );
    // Drawing maps and leaving tiles out is part of it, of all models that have attention.
    const drawn = said.filter((line) => / and maps of /.test(line));
    assert.deepEqual(drawn.map((line) => /(Gated ABMIL|ABMIL|CLAM-SB|MeanMIL)/.exec(line)![1]), [
      "ABMIL",
      "Gated ABMIL",
      "CLAM-SB",
    ]);
    assert.ok(steps.length > 8 && steps.every((line) => Number(line.split(" ").at(-1)) > cost + 4), steps[0]);
    assert.deepEqual([...new Set(steps.map((line) => line.split(":")[0]))].slice(0, 2), [
      "abmil, fold_0",
      "abmil, fold_1",
    ]);
    // Differences on the same folds, to the mean first.
    const paired = found!.differences.filter(({ a, score }) => a.model === "abmil" && score === "auc");
    assert.deepEqual(paired.map(({ b }) => b.model), ["mean_logistic", "majority"]);
    const [own, mean] = ["abmil", "mean_logistic"].map((id) => rows.get(`strong ${id}`)!);
    const [difference] = paired;
    difference!.difference.by_fold.forEach((value, f) => {
      assert.ok(Math.abs(value! - (own!.folds[f]!.auc! - mean!.folds[f]!.auc!)) < 1e-12);
    });
    // What was said of each test case, by the runs' own files.
    const predictions = table(folder, "predictions.csv");
    const page = Deno.readTextFileSync(`${folder}/out/report.html`);
    for (const fold of ["fold_0", "fold_1"]) {
      assert.ok(page.includes(`href="runs/strong/abmil/${fold}/report.html"`));
      const runFolder = `${folder}/out/runs/strong/abmil/${fold}`;
      const { bags } = JSON.parse(Deno.readTextFileSync(`${runFolder}/evaluation/outputs.json`));
      const lines = predictions.filter((line) => line.model === "abmil" && line.fold === fold);
      assert.equal(lines.length, bags.length);
      for (const { name, output, tiles } of bags) {
        const line = lines.find(({ unit }) => unit === name)!;
        assert.ok(Math.abs(Number(line.p_positive) - output[1]) < 1e-8);
        assert.equal(tiles, 8 * slidesOf(Number(name.slice(4))).length);
      }
      const auc = rocAuc(lines.map(({ label }) => label === "positive"), lines.map((line) => Number(line.p_positive)));
      assert.ok(Math.abs(auc! - own!.folds[Number(fold.slice(5))]!.auc!) < 1e-9);
      // Attention of every test slide, which sums to 1 over a case.
      const sums = new Map<string, number>();
      for (const { name } of Deno.readDirSync(`${runFolder}/evaluation/attention`)) {
        const h5 = await H5File.open(disk.open(`${runFolder}/evaluation/attention/${name}`, "read"));
        const values = h5.read("attention") as Float32Array;
        assert.deepEqual([values.length, h5.read("coords").length], [8, 16]);
        const owner = name.slice(0, 7);
        sums.set(owner, (sums.get(owner) ?? 0) + values.reduce((a, b) => a + b, 0));
        h5.close();
      }
      assert.deepEqual([...sums.keys()].sort(), bags.map(({ name }: { name: string }) => name).sort());
      for (const [name, sum] of sums) assert.ok(Math.abs(sum - 1) < 1e-5, `${name}: ${sum}`);
    }
    // Neighbours of the mean.
    assert.deepEqual(
      found!.retrieval.map(({ measure, k }) => `${measure} ${k}`),
      ["l2", "cosine", "centred"].flatMap((measure) => [1, 3, 5, 10].map((k) => `${measure} ${k}`)),
    );
    const [nearest] = found!.retrieval;
    assert.ok(nearest!.vote.value > 0.6 && nearest!.vote.value === nearest!.any.value);
    assert.equal((json.runs as unknown[]).length, 8);
    // All is there: nothing is done again.
    const again = await run(folder, { models: ["abmil", "gated", "clam", "meanmil", "mean", "retrieval"] });
    assert.deepEqual([again.found, again.steps], [undefined, []]);
    assert.deepEqual(again.json, json);
  }));

Deno.test("several seeds a fold: scores and differences are means over them, paired", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`, { signal: 1 });
    const { found, json } = await run(folder, { seeds: 3, seed: 4, models: ["meanmil"] });
    const row = found!.rows.find(({ id }) => id === "meanmil")!;
    assert.deepEqual((json.runs as { seed: number }[]).map(({ seed }) => seed), [4, 5, 6, 4, 5, 6]);
    assert.equal(row.seeds!.length, 3);
    row.folds.forEach((scores, f) => {
      const each = row.seeds!.map((folds) => folds[f]!.auc!);
      assert.ok(Math.abs(scores.auc! - (each[0]! + each[1]! + each[2]!) / 3) < 1e-12);
    });
    assert.ok(new Set(row.seeds!.map((folds) => folds[0]!.average_precision)).size > 1, "seeds differ");
    const alone = await run(folder, { seed: 5, models: ["meanmil"], out: `${folder}/one` });
    assert.deepEqual(alone.found!.rows.find(({ id }) => id === "meanmil")!.folds, row.seeds![1]);
    const { difference } = found!.differences.find(({ a, b, score }) =>
      a.model === "meanmil" && b.model === "mean_logistic" && score === "auc"
    )!;
    const mean = found!.rows.find(({ id }) => id === "mean_logistic")!;
    difference.by_fold.forEach((value, f) => {
      assert.ok(Math.abs(value! - (row.folds[f]!.auc! - mean.folds[f]!.auc!)) < 1e-12);
    });
  }));

Deno.test("survival and regression find what the features hold, by each loss", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`, { cases: 60 });
    const scores = async (task: string, out: string, keys: readonly (readonly [string, string])[] = []) => {
      const { rows } = await run(folder, {
        table: split(2, 60),
        task,
        models: ["abmil", "meanmil"],
        out: `${folder}/${out}`,
        keys: [...KEYS, ...keys],
      });
      return (id: string, score: string) => rows.get(`strong ${id}`)!.scores[score]!.value!;
    };
    const discrete = await scores(TASKS.OS, "discrete");
    const cox = await scores(TASKS.OS, "cox", [["survival", "cox"], ["batch_size", "16"], ["ties", "efron"], [
      "epochs",
      "60",
    ]]);
    for (const score of [discrete, cox]) {
      for (const id of ["coxnet_0.07", "abmil", "meanmil"]) {
        assert.ok(score(id, "cindex") > 0.62, `${id}: ${score(id, "cindex")}`);
      }
    }
    const numbers = await scores(TASKS.score, "numbers");
    for (const id of ["ridge", "abmil", "meanmil"]) {
      assert.ok(numbers(id, "pearson") > 0.4, `${id}: ${numbers(id, "pearson")}`);
    }
    // A cox of single cases, and CLAM of numbers, cannot be.
    await assert.rejects(scores(TASKS.OS, "no", [["survival", "cox"]]), /batch_size is 1, and cox compares the cases/);
    for (const models of [["clam"], ["abmil", "clam"]]) {
      await assert.rejects(
        run(folder, { table: split(2, 60), task: TASKS.OS, models, out: `${folder}/no` }),
        /Cannot train a survival: model is clam, whose instances take classes/,
      );
    }
    assert.equal(disk.look(`${folder}/no`), undefined);
  }));

Deno.test("gene sets are targets, scored on the scale of the training cases", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    const cases = [...new Set(cohortTable().split("\n").slice(1, -1).map((line) => line.split("\t")[0]!))];
    const scores = new Map(
      cohortTable().split("\n").slice(1, -1).map((line) => {
        const [name, , , score] = line.split("\t");
        return [name!, Number(score)];
      }),
    );
    const genes = ["A", "B", "C", "D"];
    const value = (name: string, g: number) =>
      (g < 2 ? scores.get(name)! : 0) + new Rng(5, cases.indexOf(name) * 9 + g).normal() / 4;
    disk.write(
      `${folder}/bulk.csv`,
      [
        ["case_id", ...genes].join(),
        ...cases.map((name) => [name, ...genes.map((_, g) => value(name, g).toFixed(4))].join()),
      ].join("\n"),
    );
    disk.write(`${folder}/sets.gmt`, "UP\tx\tA\tB\nNONE\tx\tC\tD\n");
    const task = "task_col: all\nsample_col: case_id\ntask_type: regression\n";
    const pathways = { expression: `${folder}/bulk.csv`, geneSets: `${folder}/sets.gmt` };
    const { found } = await run(folder, { task, models: ["meanmil"], pathways });
    const { perTarget } = found!.rows.find(({ id }) => id === "meanmil")!;
    assert.ok(perTarget!["UP"]!.pearson! > 0.5 && perTarget!["UP"]!.pearson! > perTarget!["NONE"]!.pearson!);
  }));

Deno.test("encoders are compared on the slides that both have; slides of a case are one bag, or weigh the same", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    await writeSlides(`${folder}/weak`, { signal: 0.3, seed: 2, encoder: "other" });
    Deno.removeSync(`${folder}/weak/case001_a.h5`);
    const { status, rows, found, said } = await run(folder, { features: ["strong", "weak"], models: ["meanmil"] });
    assert.equal(status, 3);
    assert.ok(said.some((line) => /weak: 1 slide without features, left out for all encoders: case001_a/.test(line)));
    const [strong, weak] = ["strong", "weak"].map((name) => rows.get(`${name} meanmil`)!.scores.auc!.value!);
    assert.ok(strong! > weak!, `${strong} and ${weak}`);
    const own = found!.differences.filter(({ a, score }) =>
      a.source === "weak" && a.model === "meanmil" && score === "auc"
    );
    assert.deepEqual(own.map(({ b }) => [b.source, b.model]), [
      ["strong", "meanmil"],
      ["weak", "mean_logistic"],
      [undefined, "majority"],
    ]);
    assert.equal(found!.cohort.units.length, 29);
    // Slides of different sizes: as one bag of tiles, or each by itself.
    const rowsOf = await openFeatures(disk.open(`${folder}/strong/case000_b.h5`, "read"));
    const one = await rowsOf.read(0, 1);
    rowsOf.close();
    await writeFeatures(disk, `${folder}/strong/case000_b.h5`, "h5", {
      count: 1,
      dim: 6,
      attributes: { encoder: "made" },
      coords: new Int32Array(2),
    }, () => one);
    const said0 = async (caseSlides: "combine" | "mean") => {
      const { json } = await run(folder, { models: ["abmil"], caseSlides, out: `${folder}/${caseSlides}` });
      const { folder: at } = (json.runs as { folder: string; fold: string }[]).find(({ folder: at }) => {
        return disk.look(`${folder}/${caseSlides}/${at}/evaluation/attention/case000_b.h5`) !== undefined;
      })!;
      const h5 = await H5File.open(
        disk.open(`${folder}/${caseSlides}/${at}/evaluation/attention/case000_b.h5`, "read"),
      );
      const [weight] = h5.read("attention") as Float32Array;
      h5.close();
      return weight!;
    };
    assert.ok(await said0("combine") < 0.4);
    assert.ok(Math.abs(await said0("mean") - 0.5) < 1e-6);
  }));

Deno.test("features of CLAM, STAMP, TRIDENT and plain arrays train the same models; a bag of 100,000 tiles is tested whole", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`, { cases: 12, tiles: 6 });
    const forms = ["clam", "stamp", "trident", "npy"] as const;
    for (const form of forms) makeFolder(`${folder}/${form}`);
    for (const inner of ["h5_files", "pt_files"]) makeFolder(`${folder}/clam/${inner}`);
    for (const { name } of [...Deno.readDirSync(`${folder}/strong`)]) {
      const path = `${folder}/strong/${name}`;
      const file = await openFeatures(disk.open(path, "read"));
      const rows = await file.read();
      file.close();
      await writeFeatures(disk, path, "h5", {
        count: 6,
        dim: 6,
        attributes: { encoder: "made" },
        coords: Int32Array.from({ length: 12 }, (_, i) => 512 * i),
        coordsAttributes: {
          patch_size: 256,
          patch_size_level0: 512,
          level0_magnification: 40,
          target_magnification: 20,
        },
      }, (from, to) => rows.slice(6 * from, 6 * to));
      for (const form of forms) await convertFeatures(disk, path, `${folder}/${form}`, form, { mpp: 0.25 });
    }
    // CLAM's tensors alone.
    Deno.renameSync(`${folder}/clam/pt_files`, `${folder}/pt`);
    const features = ["strong", "clam", "pt", "stamp", "trident", "npy"];
    const { status, found } = await run(folder, { table: split(2, 12), features, models: ["gated"] });
    assert.equal(status, 0);
    const said = (source: string) => found!.rows.find((row) => row.source === source && row.id === "gated")!.outputs;
    for (const source of features) {
      said(source).forEach((output, f) => {
        output.forEach((value, i) => {
          // STAMP keeps halves.
          const apart = Math.abs(value - said("strong")[f]![i]!);
          assert.ok(source === "stamp" ? apart < 0.02 : apart === 0, `${source}: ${value}`);
        });
      });
    }
    const [rows, dim] = [100_000, 6];
    await writeFeatures(disk, `${folder}/strong/case001_a.h5`, "h5", {
      count: rows,
      dim,
      attributes: { encoder: "made" },
      coords: new Int32Array(2 * rows),
    }, (from, to) => Float32Array.from({ length: (to - from) * dim }, (_, i) => ((from * dim + i) % 17) / 17));
    const keys = [...KEYS, ["cache_budget", "0"], ["epochs", "2"]] as const;
    const { json } = await run(folder, { table: split(2, 12), models: ["abmil"], out: `${folder}/huge`, keys });
    const sizes = (json.runs as { folder: string }[]).flatMap(({ folder: at }) => {
      const { bags } = JSON.parse(Deno.readTextFileSync(`${folder}/huge/${at}/evaluation/outputs.json`));
      return bags.filter(({ name }: { name: string }) => name === "case001").map(({ tiles }: { tiles: number }) =>
        tiles
      );
    });
    assert.deepEqual(sizes, [rows]);
  }));

Deno.test("slides that cannot be used, folds that lack a class or event and tied times are named and counted", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    const write = (slide: string, rows: Float32Array, encoder = "made", dim = 6) =>
      writeFeatures(disk, `${folder}/strong/${slide}.h5`, "h5", {
        count: rows.length / dim,
        dim,
        attributes: { encoder },
        coords: new Int32Array(2 * rows.length / dim),
      }, (from, to) => rows.slice(from * dim, to * dim));
    await write("case001_a", new Float32Array(0));
    await write("case002_a", new Float32Array(12).fill(NaN));
    await write("case004_a", new Float32Array(6).fill(1));
    await write("unknown", new Float32Array(6));
    Deno.writeTextFileSync(`${folder}/strong/case005_a.h5`, "no HDF5");
    const extra = split().trimEnd() + "\ncaseX\tcaseX_a\t1\t0\t0\t1\t5\ts\ttrain\ttest\n";
    const { status, said, found } = await run(folder, { table: extra, models: ["meanmil"] });
    assert.equal(status, 3);
    const warned = (text: RegExp) => assert.ok(said.some((line) => text.test(line)), `${text}: ${said.join("\n")}`);
    warned(/strong: 1 slide without tiles, left out for all encoders: case001_a/);
    warned(/strong: 1 slide with numbers that are not finite, .*: case002_a \(case002_a: row 0, column 0 is NaN\)/);
    warned(/strong: 1 slide whose file cannot be read, .*: case005_a/);
    warned(/strong: 1 slide without features, .*: caseX_a/);
    warned(/strong: 1 slide with features but not in the table: unknown/);
    assert.ok(found!.cohort.units.some(({ name }) => name === "case004"), "a slide of one tile takes part");

    // fold_0 trains on one class: it is not judged, and not trained.
    const lines = split().trimEnd().split("\n").map((line) => line.split("\t"));
    const [label, event, days, fold] = ["HER2", "OS_event", "OS_days", "fold_0"].map((name) =>
      lines[0]!.indexOf(name)
    ) as [number, number, number, number];
    const sided = lines.map((row, i) => i === 0 ? row : row.with(fold, row[label] === "1" ? "test" : "train"));
    const text = (rows: readonly string[][]) => rows.map((row) => row.join("\t")).join("\n") + "\n";
    const one = await run(folder, { table: text(sided), models: ["meanmil"], out: `${folder}/one` });
    assert.equal(one.status, 3);
    assert.ok(
      one.said.some((line) => /^fold_0: no train unit of class positive: not judged$/.test(line)),
      one.said.join("\n"),
    );
    assert.deepEqual((one.json.runs as { fold: string }[]).map(({ fold }) => fold), ["fold_1"]);

    // No event to train on in fold_0, events at one time in fold_1.
    const follow = lines.map((row, i) => {
      if (i === 0) return row;
      const trained = row[fold] === "train";
      return row.with(event, trained ? "0" : "1").with(days, trained ? row[days]! : "7");
    });
    const survival = await run(folder, {
      table: text(follow),
      task: TASKS.OS,
      models: ["meanmil"],
      out: `${folder}/os`,
    });
    assert.equal(survival.status, 3);
    assert.ok(survival.said.some((line) => /^fold_0: no event among the training units: not judged$/.test(line)));
    assert.ok(survival.said.some((line) => /^\d+ events at the time of another: Breslow's likelihood$/.test(line)));
    const all = lines.map((row, i) => i === 0 ? row : row.with(event, "0"));
    await assert.rejects(
      run(folder, { table: text(all), task: TASKS.OS, models: ["meanmil"], out: `${folder}/none` }),
      (error: DataError) => /none of 2 folds can be judged/.test(error.message) && error.exitCode === 4,
    );

    // Features of another encoder in the same folder.
    await write("case007_a", new Float32Array(6), "another");
    await assert.rejects(
      run(folder, { models: ["meanmil"], out: `${folder}/mixed` }),
      (error: DataError) =>
        /case007_a\.h5: encoder is another, expected made/.test(error.message) && error.exitCode === 4,
    );
    assert.equal(disk.look(`${folder}/mixed`), undefined);
  }));

Deno.test("a dry run says the cost and writes nothing; keys and models that do not fit are refused before", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    const { said, steps } = await run(folder, { dryRun: true });
    assert.ok(said.some((line) => /^To train: 2 of 2 runs/.test(line)));
    assert.deepEqual([steps, disk.look(`${folder}/out`)], [[], undefined]);
    await assert.rejects(
      run(folder, { models: ["transmil"] }),
      /Cannot train transmil: .*wanted some of mean, retrieval, abmil/,
    );
    await assert.rejects(run(folder, { keys: [["epoch", "3"]] }), /epoch/);
    await assert.rejects(run(folder, { table: cohortTable() }), /it has no column fold_0/);
    assert.equal(disk.look(`${folder}/out`), undefined);
  }));

Deno.test("ABMIL on two folds of 60 bags of 256 tiles, killed at random moments and resumed: the same bytes", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`, { cases: 45, tiles: 256, dim: 16 });
    Deno.writeTextFileSync(`${folder}/k=all.tsv`, split(2, 45));
    Deno.writeTextFileSync(`${folder}/config.yaml`, TASKS.HER2.replace("case_id", "slide_id"));
    const inputs = [
      "--features",
      `${folder}/strong`,
      "--split",
      `${folder}/k=all.tsv`,
      "--task",
      `${folder}/config.yaml`,
    ];
    const keys = ["epochs=2", "hidden=16", "log_every=1", "save_every_steps=7"];
    const job = {
      prepare: () => Promise.resolve(),
      args: (_: string, out: string) => ["mil", "--quiet", ...inputs, "--model", "abmil", "--out", out, ...keys],
      isStray: isUnderWay,
      timeless: timelessOfFolds,
    };
    const setting = { job, inputs: folder, out: `${folder}/out` };
    const whole = await runWhole(setting);
    const paths = [...whole.results.keys()];
    assert.ok(paths.includes("results.json") && paths.includes("runs/strong/abmil/fold_1/evaluation/outputs.json"));
    const { kills, wrong } = await killAndResume(setting, whole, { kills: 3, seed: 5, rounds: 3 });
    assert.deepEqual([kills, wrong], [3, []]);
  }));
