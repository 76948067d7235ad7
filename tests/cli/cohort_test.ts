/** `split` and `evaluate --split` from the command line: files, statuses, and the same command given again. */

import assert from "node:assert/strict";
import { readCohort } from "../../src/data/cohort/cohort_table.ts";
import { cohortTable, writeSlides } from "./cohort_files.ts";
import { inFolder, seal } from "./shared.ts";

Deno.test("split makes a table and a task that evaluate takes; both are resumed, and refuse other settings", () =>
  inFolder(async (folder) => {
    await writeSlides(`${folder}/strong`);
    await writeSlides(`${folder}/weak`, { signal: 0.3, seed: 5 });
    Deno.writeTextFileSync(`${folder}/labels.tsv`, cohortTable());
    const split = [
      "split",
      "--labels",
      `${folder}/labels.tsv`,
      "--task-col",
      "HER2",
      "--stratify",
      "HER2",
      "--by",
      "case",
    ];
    const made = await seal(...split, "--site-disjoint", "--folds", "3", "--out", `${folder}/s`, "--json");
    assert.equal(made.code, 0, made.err);
    assert.deepEqual(JSON.parse(made.out).folds.map(({ test }: { test: number[] }) => test), [[6, 6], [5, 5], [4, 4]]);
    const table = Deno.readTextFileSync(`${folder}/s/k=all.tsv`);
    assert.equal(readCohort(table, "k=all.tsv").folds.length, 3);
    assert.match(Deno.readTextFileSync(`${folder}/s/config.yaml`), /^task_col: HER2\nsample_col: case_id\n/);
    const kept = await seal(...split, "--site-disjoint", "--folds", "3", "--out", `${folder}/s`, "--json");
    assert.deepEqual([kept.code, kept.out, /s\/split\.json: is there/.test(kept.err)], [0, made.out, true], kept.err);
    const other = await seal(...split, "--folds", "4", "--out", `${folder}/s`);
    assert.equal(other.code, 2);
    assert.match(other.err, /--folds 3, now 4/);

    const evaluate = ["evaluate", "--split", `${folder}/s/k=all.tsv`, "--task", `${folder}/s/config.yaml`];
    const both = [
      ...evaluate,
      "--features",
      `${folder}/weak`,
      "--features",
      `${folder}/strong`,
      "--out",
      `${folder}/e`,
    ];
    const done = await seal(...both);
    assert.equal(done.code, 0, done.err);
    assert.match(done.err, /strong +Mean \+ logistic +[\d.]+ ± [\d.]+ \[/);
    assert.match(done.err, /strong \(Mean \+ logistic\) less weak \(Mean \+ logistic\) +\+/);
    const results = JSON.parse(Deno.readTextFileSync(`${folder}/e/results.json`));
    assert.deepEqual([results.kind, results.units, results.slides, results.made.status], ["classification", 30, 40, 0]);
    // Nothing is computed on a device; what the features are, the folds and the seed are told.
    assert.match(
      results.made_of,
      /^encoder weak \(.+\) and strong \(.+\); split [0-9a-f]{12} \(SHA-256\); seed 0; no device$/,
    );
    assert.ok(done.err.includes(`Made of: ${results.made_of}`), done.err);
    assert.deepEqual([...Deno.readDirSync(`${folder}/e`)].map(({ name }) => name).sort(), [
      "predictions.csv",
      "results.json",
      "scores.csv",
    ]);
    const again = await seal(...both);
    assert.deepEqual([again.code, /results\.json: is there/.test(again.err)], [0, true], again.err);

    // What takes no part is named, and the status says so.
    Deno.removeSync(`${folder}/strong/case004_a.h5`);
    const some = await seal(...both.slice(0, -1), `${folder}/e2`, "--json");
    assert.equal(some.code, 3, some.err);
    assert.match(some.err, /strong: 1 slide without features, left out for all encoders: case004_a/);
    assert.equal(JSON.parse(some.out).left_out[0].slide, "case004_a");
  }));

Deno.test("a leaking table, a missing file and flags that do not belong together end before any work", () =>
  inFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/config.yaml`, "task_col: y\n");
    Deno.writeTextFileSync(
      `${folder}/k.tsv`,
      "case_id\tslide_id\ty\tfold_0\na\ta1\t0\ttrain\na\ta2\t0\ttest\nb\tb1\t1\ttest\n",
    );
    const given = ["evaluate", "--split", `${folder}/k.tsv`, "--task", `${folder}/config.yaml`, "--out", `${folder}/e`];
    const leak = await seal(...given, "--features", folder);
    assert.equal(leak.code, 4, leak.err);
    assert.match(leak.err, /case a is on both sides of fold_0/);
    const mixed = await seal(...given, "--features", folder, "--encoder", "uni2-h");
    assert.equal(mixed.code, 2, mixed.err);
    assert.match(mixed.err, /Cannot use --encoder with --split/);
    assert.throws(() => Deno.statSync(`${folder}/e`), Deno.errors.NotFound);
  }));
