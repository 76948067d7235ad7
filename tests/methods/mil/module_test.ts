/** Runs of slides as a program opens them: classes of features from files and in hand, scores as the run's own, refusals. */

import assert from "node:assert/strict";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { disk } from "../../../src/io/fs.ts";
import { openRun, train } from "../../../mod.ts";
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
  await assert.rejects(run.predict({ data: nan, rows: 2, dim: DIM }), { ...bad, message: /row 1, column 1 is NaN/ });
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
  await assert.rejects(openRun(out, { gpu, method: "seal" }), { name: "ConfigError", message: /trained by mil/ });
  gpu.check();
});
