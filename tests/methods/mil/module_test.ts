/** Runs of slides as a program opens them: classes, risks and numbers of features from files and in hand, scores as the run's own, refusals. */

import assert from "node:assert/strict";
import { parseCsv } from "../../../src/io/csv.ts";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { disk } from "../../../src/io/fs.ts";
import { openRun, train } from "../../../mod.ts";
import { SILENT } from "../../../src/core/reporter.ts";
import { predictSlides } from "../../../src/run/predict_slides.ts";
import { openGpu } from "../../gpu/shared.ts";

const gpu = await openGpu();
const folder = Deno.makeTempDirSync({ prefix: "mil_module_" });
Deno.test.afterAll(() => {
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
});

const DIM = 6;

function rowsOf(seed: number, rows: number): Float32Array {
  return Float32Array.from({ length: rows * DIM }, (_, k) => Math.sin(1.7 * k + seed) + (k % DIM === 0 ? seed % 3 : 0));
}

Deno.mkdirSync(`${folder}/features`);
const names = Array.from({ length: 18 }, (_, i) => `s${String(i).padStart(2, "0")}`);
const tiles = names.map((_, i) => rowsOf(i, 3 + 5 * (i % 4)));
const labelOf = (i: number) => ["low", "middle", "high"][i % 3]!;
for (const [i, name] of names.entries()) {
  const x = tiles[i]!;
  const table = { count: x.length / DIM, dim: DIM, attributes: {} };
  await writeFeatures(disk, `${folder}/features/${name}.h5`, "h5", table, (from, to) => x.slice(from * DIM, to * DIM));
}
const parts = ["train", "train", "train", "train", "test", "test"];
const rows = names.map((name, i) => `${name},c${name},${labelOf(i)},${parts[Math.floor(i / 3)]}`);
disk.write(`${folder}/labels.csv`, ["slide_id,case_id,label,fold_0", ...rows, ""].join("\n"));
const out = `${folder}/run`;
const config = {
  features: [`${folder}/features`],
  labels: `${folder}/labels.csv`,
  epochs: 3,
  early_stop_patience: 0,
  lr: 0.01,
};
const trained = await train("mil", { gpu, out, config });

Deno.test("a run of slides tells classes of files and of arrays alike, and scores as its own evidence", async () => {
  await using run = await trained.open({ gpu });
  assert.deepEqual([[...run.classes].sort(), run.dim], [["high", "low", "middle"], DIM]);
  const paths = names.map((name) => `${folder}/features/${name}.h5`);
  const all = await run.predict(paths);
  for (const [i, said] of all.entries()) {
    const sum = Object.values(said.probabilities).reduce((a, b) => a + b);
    assert.ok(Math.abs(sum - 1) < 1e-9);
    assert.equal(said.probabilities[said.class], Math.max(...Object.values(said.probabilities)));
    assert.ok(Math.abs(said.attention!.reduce((a, b) => a + b) - 1) < 1e-5);
    assert.equal(said.attention!.length, tiles[i]!.length / DIM);
  }
  const arrays = tiles.map((data) => ({ data, rows: data.length / DIM, dim: DIM }));
  assert.deepEqual(await run.predict(arrays), all);
  // Many at once are one after another.
  assert.deepEqual(await Promise.all(arrays.map((one) => run.predict(one))), all);
  const own = await run.evaluate();
  const { predictors } = trained.result.classification as {
    predictors: Record<string, { auc: number; balanced_accuracy: number }>;
  };
  const { auc, balanced_accuracy } = predictors.abmil!;
  assert.ok(Math.abs(own.auc! - auc) < 1e-9 && Math.abs(own.balancedAccuracy! - balanced_accuracy) < 1e-9);
  assert.equal(own.cases, 6);
  const test = names.flatMap((_, i) => i >= 12 ? [{ features: paths[i]!, label: labelOf(i) }] : []);
  assert.deepEqual(await run.evaluate(test), own);
  assert.equal(own.confusion.flat().reduce((a, b) => a + b), 6);
  // As the report has it.
  const csv = Deno.readTextFileSync(`${out}/evaluation/cases.csv`).trim().split("\n").map((line) => line.split(","));
  let compared = 0;
  for (const [i, name] of names.entries()) {
    const line = csv.find((cells) => cells[0] === "abmil" && cells.includes(`c${name}`));
    if (line === undefined) continue;
    compared++;
    const { probabilities } = all[i]!;
    const said = line.slice(-3).map(Number);
    run.classes.forEach((name, k) => assert.ok(Math.abs(probabilities[name]! - said[k]!) < 1e-4, `${line}`));
  }
  assert.equal(compared, 6);
  gpu.check();
});

Deno.test("what a run of slides does not offer, and features that do not fit, are told with the mend", async () => {
  const run = await openRun(out, { gpu, method: "mil", checkpoint: "last" });
  const bad = { name: "DataError" };
  await assert.rejects(run.predict({ data: new Float32Array(8), rows: 2, dim: 4 }), { ...bad, code: "features-width" });
  await assert.rejects(run.predict({ data: new Float32Array(), rows: 0, dim: DIM }), {
    ...bad,
    code: "features-empty",
  });
  await assert.rejects(run.predict({ data: new Float32Array(5), rows: 1, dim: DIM }), { ...bad, message: /5 numbers/ });
  const nan = new Float32Array(2 * DIM).fill(NaN, 7, 8);
  await assert.rejects(run.predict({ data: nan, rows: 2, dim: DIM }), {
    ...bad,
    message: /row 1, column 1 is NaN/,
    hint: "Embed that slide again with overwrite: true",
  });
  // deno-lint-ignore no-explicit-any
  const wrong = run as any;
  for (const given of [{}, null, 3, { data: new Float64Array(DIM), rows: 1, dim: DIM }]) {
    await assert.rejects(wrong.predict(given), { ...bad, message: /neither a path/ });
  }
  await assert.rejects(run.predict(`${folder}/none.h5`), bad);
  assert.deepEqual(await run.predict([]), []);
  const misspelt = { sgnal: undefined, signl: new AbortController().signal } as object;
  await assert.rejects(run.predict([], misspelt), { name: "ConfigError", message: /signl is not known/ });
  await assert.rejects(run.evaluate([], misspelt), { name: "ConfigError", message: /signl is not known/ });
  await assert.rejects(run.evaluate([]), { name: "ConfigError", hint: /label/ });
  await assert.rejects(run.evaluate([{ features: `${folder}/features/s00.h5`, label: "none" }]), { hint: /low/ });
  await assert.rejects(run.retrieve({ genes: {} }), { code: "method-unsupported", hint: /seal/ });
  const late = run.predict(`${folder}/features/s00.h5`);
  await run.close();
  await late.catch((error: Error) => assert.equal(error.name, "ConfigError"));
  await assert.rejects(run.predict(`${folder}/features/s00.h5`), { name: "ConfigError", hint: /openRun/ });
  await assert.rejects(openRun(out, { gpu }), { name: "ConfigError", hint: /method: "mil"/ });
  // What to do is said in options, not in words of the command line.
  const itself = `Give the run itself, openRun("${out}"); its checkpoints are found in it`;
  await assert.rejects(openRun(`${out}/checkpoints/last`, { gpu, method: "mil" }), { hint: itself });
  const asked = { gpu, out: `${folder}/never`, config: { ...config, early_stop_patience: 2 } };
  const hint = "config: { val_fraction: 0.1 }, or config: { early_stop_patience: 0 }";
  await assert.rejects(train("mil", asked), { name: "ConfigError", hint });
  await assert.rejects(openRun(out, { gpu, method: "seal" }), { name: "ConfigError", message: /trained by mil/ });
  gpu.check();
});

/** Scores of a run's own evidence, as its `results.json` has them. */
function ownScores(result: Readonly<Record<string, unknown>>): Record<string, number> {
  const { cohort } = result as { cohort: { rows: { model: string; scores: Record<string, { value: number }> }[] } };
  const { scores } = cohort.rows.find(({ model }) => model === "abmil")!;
  return Object.fromEntries(Object.entries(scores).map(([name, { value }]) => [name, value]));
}

const timeOf = (i: number) => 20 + 7 * ((5 * i) % 18) - 30 * (i % 3) / 3;
const eventOf = (i: number) => i % 5 !== 1;
const numbersOf = (i: number) => ({ height: 1500 + 100 * (i % 3) + i, weight: 4 - (i % 3) });
disk.write(
  `${folder}/more.csv`,
  [
    "slide_id,case_id,OS_days,OS_event,OS,height,weight,fold_0",
    ...names.map((name, i) => {
      const { height, weight } = numbersOf(i);
      const follow = `${timeOf(i)},${eventOf(i) ? 1 : 0},0`;
      return `${name},c${name},${follow},${height},${weight},${parts[Math.floor(i / 3)]}`;
    }),
    "",
  ].join("\n"),
);
disk.write(`${folder}/os.yaml`, "task_col: OS\nsample_col: case_id\ntask_type: survival\n");
disk.write(`${folder}/numbers.yaml`, "task_col: [height, weight]\nsample_col: case_id\ntask_type: regression\n");
const more = { features: [`${folder}/features`], labels: `${folder}/more.csv`, epochs: 3, lr: 0.01 };
const test = names.flatMap((name, i) => i >= 12 ? [{ i, features: `${folder}/features/${name}.h5` }] : []);

for (const survival of ["discrete", "cox"] as const) {
  Deno.test(`a run of survival tells risks, and scores as its own evidence: ${survival}`, async () => {
    const out = `${folder}/${survival}`;
    const batch_size = survival === "cox" ? 4 : 1;
    const config = { ...more, task: `${folder}/os.yaml`, survival, batch_size };
    const trained = await train("mil", { gpu, out, config });
    await using run = await trained.open({ gpu, task: "survival" });
    const own = await run.evaluate();
    const { cindex } = ownScores(trained.result);
    assert.ok(Math.abs(own.cindex! - cindex!) < 1e-9, `${own.cindex} is not ${cindex}`);
    assert.deepEqual([own.cases, own.events], [6, 5]);
    const known = test.map(({ i, features }) => ({ features, time: timeOf(i), event: eventOf(i) }));
    assert.deepEqual(await run.evaluate(known), own);
    const [said] = await run.predict([known[0]!.features]);
    const outputs = JSON.parse(Deno.readTextFileSync(`${out}/evaluation/outputs.json`)) as {
      bags: { name: string; output: number[] }[];
    };
    const first = outputs.bags.find(({ name }) => name === "cs12")!;
    assert.ok(Math.abs(said!.risk - first.output[0]!) < 1e-9 && said!.attention!.length === tiles[12]!.length / DIM);
    const { features } = known[0]!;
    const bad = [{ features, time: NaN, event: true }];
    await assert.rejects(run.evaluate(bad), { name: "ConfigError", message: /time is NaN/, hint: /event: true/ });
    // As another task it is refused, with what opens it.
    const hint = new RegExp(`openRun\\("${out}", { method: "mil", task: "survival" }\\)`);
    await assert.rejects(openRun(out, { gpu, method: "mil" }), { name: "ConfigError", hint });
    // deno-lint-ignore no-explicit-any
    const wrong = openRun(out, { gpu, method: "mil", task: "classes" as any });
    await assert.rejects(wrong, { name: "ConfigError", message: /task is "classes"/ });
    gpu.check();
  });
}

Deno.test("a run of numbers tells them as its table has them, and scores as its own evidence", async () => {
  const out = `${folder}/numbers`;
  const trained = await train("mil", { gpu, out, config: { ...more, task: `${folder}/numbers.yaml` } });
  await using run = await openRun(out, { gpu, method: "mil", task: "regression" });
  assert.deepEqual([run.targets, run.dim], [["height", "weight"], DIM]);
  const own = await run.evaluate();
  const wanted = ownScores(trained.result);
  for (const name of ["pearson", "spearman", "r2"] as const) {
    assert.ok(Math.abs(own[name]! - wanted[name]!) < 1e-9, `${name}: ${own[name]} is not ${wanted[name]}`);
  }
  assert.ok(Math.abs((own.targets["height"]!.pearson! + own.targets["weight"]!.pearson!) / 2 - own.pearson!) < 1e-12);
  const known = test.map(({ i, features }) => ({ features, values: numbersOf(i) }));
  assert.deepEqual(await run.evaluate(known), own);
  // By the mean and deviation of the training cases.
  const training = names.flatMap((_, i) => i < 12 ? [numbersOf(i).height] : []);
  const mean = training.reduce((a, b) => a + b, 0) / 12;
  const deviation = Math.sqrt(training.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 12);
  const { bags } = JSON.parse(Deno.readTextFileSync(`${out}/evaluation/outputs.json`)) as {
    bags: { name: string; output: number[] }[];
  };
  const { values } = await run.predict(known[0]!.features);
  const scaled = bags.find(({ name }) => name === "cs12")!.output[0]!;
  assert.ok(Math.abs(values["height"]! - (scaled * deviation + mean)) < 1e-6, `${values["height"]}`);
  const half = [{ features: known[0]!.features, values: { height: 1 } }];
  await assert.rejects(run.evaluate(half), {
    name: "ConfigError",
    message: /weight is undefined/,
    hint: /height, weight/,
  });
  gpu.check();
});

Deno.test("predict writes risks and numbers of slides as tables", async () => {
  for (const [name, columns] of [["cox", ["risk"]], ["numbers", ["height", "weight"]]] as const) {
    const to = `${folder}/${name} predicted`;
    const { json, status } = await predictSlides({
      ...{ run: `${folder}/${name}`, checkpoint: "best", features: [`${folder}/features`], out: to, overwrite: false },
      settings: {},
    }, { reporter: SILENT, signal: new AbortController().signal, openGpu: async () => await openGpu() });
    assert.equal(status, 0);
    const [head, ...lines] = parseCsv(Deno.readTextFileSync(`${to}/predictions.csv`), to).map(({ fields }) => fields);
    assert.deepEqual(head, ["slide_id", "tiles", ...columns, "error"]);
    assert.equal(lines.length, 18);
    for (const line of lines) {
      assert.ok(columns.every((_, k) => line[2 + k] !== "" && Number.isFinite(Number(line[2 + k]))));
    }
    const slides = json.slides as { slide: string; risk?: number; values?: Record<string, number> }[];
    const value = name === "cox" ? slides[3]!.risk : slides[3]!.values!["height"];
    assert.equal(String(value), lines[3]![2]);
    assert.equal([...Deno.readDirSync(`${to}/attention`)].length, 18);
  }
});
