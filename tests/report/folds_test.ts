/** The page of models of slides on folds, and the scores of one run on survival or targets. */

import assert from "node:assert/strict";
import { DataError, FormatError } from "../../src/core/errors.ts";
import { disk, makeFolder } from "../../src/io/fs.ts";
import type { CohortEvidence } from "../../src/report/cohort_evidence.ts";
import { writeReport } from "../../src/report/report.ts";

/** A cohort of three folds, of which one cannot be judged; two models and one that knows no features. */
function example(kind: CohortEvidence["kind"] = "classification"): CohortEvidence {
  const score = kind === "classification" ? "auc" : kind === "survival" ? "cindex" : "pearson";
  const estimate = (value: number) => ({ value, se: 0.01, low: value - 0.1, high: Math.min(1, value + 0.05) });
  const row = (source: string | undefined, model: string, label: string, values: readonly [number, number | null]) => ({
    ...{ model, label, note: `how ${label} was made` },
    ...(source !== undefined && { source }),
    scores: { [score]: estimate((values[0] + (values[1] ?? values[0])) / 2) },
    folds: values.map((value, f) => ({ fold: `fold_${f}`, [score]: value })),
  });
  return {
    kind,
    ...{ units: 60, cases: 58, cases_tested: 40, slides: 71, intervals: "95 % over test cases" },
    ...(kind === "survival" && { events: 31 }),
    folds: [
      { name: "fold_0", train: 40, test: 20, judged: true },
      { name: "fold_1", train: 38, test: 22, judged: true },
      { name: "fold_2", train: 59, test: 1, judged: false, problems: ["fold_2 has one class in its test part"] },
    ],
    rows: [
      row("uni_v2", "mean", "Mean + logistic", [0.7, 0.8]),
      {
        ...row("uni_v2", "abmil", "ABMIL <b>", [0.9, 0.7]),
        seeds: [[0.95, 0.6], [0.85, 0.8]].map((own) => own.map((value, f) => ({ fold: `fold_${f}`, [score]: value }))),
      },
      row(undefined, "none", "Class frequencies", [0.5, null]),
    ],
    differences: [{
      ...{ a: { source: "uni_v2", model: "abmil" }, b: { source: "uni_v2", model: "mean" }, score, folds: 2 },
      ...{ value: 0.05, low: -0.02, high: 0.12, better: 1, worse: 1, delong_p: 0.21 },
    }],
    runs: [0, 1].map((f) => ({
      ...{
        source: "uni_v2",
        model: "abmil",
        label: "ABMIL",
        fold: `fold_${f}`,
        seed: f,
        folder: `runs/uni_v2/abmil/fold_${f}`,
      },
    })),
    warnings: ["fold_2 has one class in its test part"],
  };
}

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await act(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function write(folder: string, found: unknown, metrics = true): void {
  disk.write(`${folder}/results.json`, JSON.stringify(found));
  for (const f of [0, 1]) {
    makeFolder(`${folder}/runs/uni_v2/abmil/fold_${f}`);
    const rows = Array.from({ length: 400 }, (_, i) => [
      { step: i + 1, split: "train", loss: (1 + f) * Math.exp(-i / 90), lr: 1e-3 },
      ...(i % 100 === 99 ? [{ step: i + 1, split: "val", auc: 0.6 + i / 2000 }] : []),
    ]).flat();
    const text = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
    if (metrics) disk.write(`${folder}/runs/uni_v2/abmil/fold_${f}/metrics.jsonl`, text);
  }
}

const textOf = (page: string) =>
  page.replace(/<(style|script)[^]*?<\/\1>/g, "").replace(/<[^>]+>/g, " ").replaceAll("&lt;", "<").replaceAll(
    "&gt;",
    ">",
  )
    .replace(/\s+/g, " ");

Deno.test("the page of folds has each model's scores, every fold's, differences, curves and the runs' pages", () =>
  inFolder(async (folder) => {
    write(folder, example());
    const { path, errors, bytes } = await writeReport({ path: folder, disk });
    assert.deepEqual([path, errors], [`${folder}/report.html`, []]);
    const page = Deno.readTextFileSync(path);
    assert.equal(new TextEncoder().encode(page).length, bytes);
    const text = textOf(page);
    assert.match(
      text,
      /Over 2 folds of 58 cases, ABMIL <b> \(uni_v2\) has AUC 0\.800 ± 0\.010, 0\.700 to 0\.850 over test/,
    );
    assert.match(text, /60 units of 58 cases with 71 slides, 3 folds, 38 to 59 trained on/);
    assert.match(
      text,
      /AUC by fold.*fold_0 40 20 0\.700 0\.900 0\.500 fold_1 38 22 0\.800 0\.700 – fold_2 .*one class/,
    );
    assert.match(
      text,
      /ABMIL <b>, uni_v2 less Mean \+ logistic, uni_v2 \+0\.050 −0\.020 to \+0\.120 1 of 2 worse in 1 0\.210/,
    );
    assert.match(text, /ABMIL, uni_v2: loss.*ABMIL, uni_v2: validation auc/);
    assert.match(text, /fold_1 seed 1 runs\/uni_v2/);
    assert.match(text, /Small points: single seeds/);
    assert.equal(page.match(/d="M-1\.2 0a1\.2/g)?.length, 4);
    assert.match(page, /href="runs\/uni_v2\/abmil\/fold_1\/report\.html"/);
    assert.ok(!page.includes("ABMIL <b>") && !/NaN|undefined|Infinity/.test(text));
    // The same folder gives the same bytes.
    await writeReport({ path: folder, disk });
    assert.equal(Deno.readTextFileSync(path), page);
    write(folder, example("regression"), false);
    for (const f of [0, 1]) Deno.removeSync(`${folder}/runs/uni_v2/abmil/fold_${f}/metrics.jsonl`);
    const bare = await writeReport({ path: folder, disk });
    assert.deepEqual(bare.errors.map((error) => error instanceof DataError), [true, true]);
    assert.match(textOf(Deno.readTextFileSync(path)), /Pearson 0\.\d+.*Guessing gives Pearson 0/s);
  }));

Deno.test("a result of folds that is damaged is refused by its place", () =>
  inFolder(async (folder) => {
    const found = example();
    const cases: [unknown, RegExp][] = [
      ["{", /results\.json/],
      [
        { ...found, kind: "clustering" },
        /results\.json:kind: "clustering", expected classification or survival or reg/,
      ],
      [{ ...found, rows: [{ ...found.rows[0]!, folds: [] }] }, /rows\[0\]\.folds: none, expected fold_0, fold_1/],
      [
        { ...found, runs: [{ ...found.runs![0]!, folder: "../other" }] },
        /runs\[0\]\.folder: \.\.\/other, expected a folder/,
      ],
      [{ ...found, runs: [{ ...found.runs![0]!, folder: "/etc" }] }, /runs\[0\]\.folder: \/etc/],
      [{ ...found, units: -1 }, /units: -1, expected a whole number/],
    ];
    for (const [content, why] of cases) {
      write(folder, content);
      if (typeof content === "string") disk.write(`${folder}/results.json`, content);
      await assert.rejects(writeReport({ path: folder, disk }), (error: FormatError) => {
        assert.match(error.message, why);
        return error instanceof FormatError;
      });
      assert.equal(disk.look(`${folder}/report.html`), undefined);
    }
  }));

Deno.test("a run on survival shows its scores in place of classes", () =>
  inFolder(async (folder) => {
    const { runs: _, ...found } = example("survival");
    makeFolder(`${folder}/evaluation`);
    disk.write(`${folder}/config.yaml`, "method: mil\n");
    disk.write(`${folder}/metrics.jsonl`, '{"step":1,"loss":1}\n{"step":2,"loss":0.5}\n');
    disk.write(`${folder}/evaluation/results.json`, JSON.stringify({ schema: 1, encoders: [] }));
    disk.write(`${folder}/evaluation/cohort.json`, JSON.stringify(found));
    const { path, errors } = await writeReport({ path: folder, disk });
    assert.deepEqual(errors, []);
    const text = textOf(Deno.readTextFileSync(path));
    assert.match(text, /has C-index 0\.800/);
    assert.match(text, /31 events in 58 cases/);
    assert.doesNotMatch(text, /Gene by gene|no evaluation on held-out sections/);
    disk.write(`${folder}/evaluation/cohort.json`, "{}");
    const damaged = await writeReport({ path: folder, disk });
    assert.equal(damaged.errors.length, 1);
  }));
