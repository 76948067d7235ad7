/** `predict --run RUN --features DIR`: what a run says of slides it was tested on, of new ones, and what is refused. */

import assert from "node:assert/strict";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { parseCsv } from "../../../src/io/csv.ts";
import { disk } from "../../../src/io/fs.ts";
import { H5File } from "../../../src/io/hdf5/h5.ts";
import { EVIDENCE } from "../../../src/report/run_evidence.ts";
import { ended, launched } from "../../cli/command.ts";

const folder = Deno.makeTempDirSync({ prefix: "mil_predict_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

const DIM = 6;

async function writeSlide(at: string, name: string, seed: number, rows: number, dim = DIM): Promise<string> {
  const x = Float32Array.from(
    { length: rows * dim },
    (_, k) => Math.sin(1.7 * k + seed) + (k % dim === 0 ? seed % 3 : 0),
  );
  const coords = Int32Array.from({ length: 2 * rows }, (_, k) => 512 * k);
  Deno.mkdirSync(at, { recursive: true });
  const path = `${at}/${name}.h5`;
  await writeFeatures(
    disk,
    path,
    "h5",
    { count: rows, dim, attributes: {}, coords },
    (from, to) => x.slice(from * dim, to * dim),
  );
  return path;
}

async function seal(...args: string[]) {
  return await ended((await launched(args)).output());
}

const train = `${folder}/train`;
const names = Array.from({ length: 18 }, (_, i) => `s${String(i).padStart(2, "0")}`);
for (const [i, name] of names.entries()) await writeSlide(train, name, i, 3 + 5 * (i % 4));
Deno.writeTextFileSync(
  `${folder}/labels.csv`,
  [
    "slide_id,label,fold_0",
    ...names.map((name, i) => `${name},${["low", "mid", "high"][i % 3]},${i < 12 ? "train" : "test"}`),
  ]
    .join("\n"),
);

/** Trains a run of a model. */
async function trained(model: string): Promise<string> {
  const run = `${folder}/${model}`;
  const keys = { labels: `${folder}/labels.csv`, features: train, sample_col: "slide_id", hidden: 8, epochs: 3, model };
  const words = Object.entries(keys).map(([key, value]) => `${key}=${value}`);
  const { code, err } = await seal("train", "--quiet", "method=mil", ...words, "--out", run);
  assert.equal(code, 0, err);
  return run;
}

/** A CSV file by its first column. */
function table(path: string): Map<string, Record<string, string>> {
  const [head, ...rows] = parseCsv(Deno.readTextFileSync(path), path).map(({ fields }) => fields);
  return new Map(rows.map((row) => [row[0]!, Object.fromEntries(row.map((value, i) => [head![i]!, value]))]));
}

Deno.test("a run says of the slides it was tested on what its own evidence has, and of new ones with the attention of each tile", async () => {
  const run = await trained("gated");
  const out = `${folder}/predictions`;
  const { code, err } = await seal("predict", "--quiet", "--run", run, "--features", train, "--out", out);
  assert.equal(code, 0, err);
  const found = table(`${out}/predictions.csv`);
  assert.deepEqual([...found.keys()], names);
  assert.deepEqual(Object.keys(found.get("s00")!), ["slide_id", "tiles", "class", "p_high", "p_low", "p_mid", "error"]);
  const path = `${run}/${EVIDENCE.cases}`;
  const [head, ...judged] = parseCsv(Deno.readTextFileSync(path), path).map(({ fields }) => fields);
  let compared = 0;
  for (const fields of judged) {
    const row = Object.fromEntries(head!.map((name, i) => [name, fields[i]!]));
    if (row.predictor !== "gated") continue;
    const own = found.get(row.case!)!;
    assert.equal(own.class, row.predicted);
    for (const label of ["high", "low", "mid"]) {
      assert.ok(Math.abs(Number(row[`p_${label}`]) - Number(own[`p_${label}`])) < 1e-6, `${row.case} ${label}`);
      compared++;
    }
  }
  assert.equal(compared, 18);
  for (const [i, name] of names.entries()) {
    using file = await H5File.open(disk.open(`${out}/attention/${name}.h5`, "read"));
    const rows = 3 + 5 * (i % 4);
    assert.deepEqual([file.info("/attention").shape, file.info("/coords").shape], [[rows], [rows, 2]]);
    const values = [...file.read("/attention") as Float32Array];
    assert.ok(Math.abs(values.reduce((a, b) => a + b, 0) - 1) < 1e-5 && Math.min(...values) >= 0);
    assert.deepEqual([...file.read("/coords") as Int32Array], Array.from({ length: 2 * rows }, (_, k) => 512 * k));
    assert.equal(Number(found.get(name)!.tiles), rows);
  }
  // Again there is nothing to do; of other features it is refused.
  const again = await seal("predict", "--run", run, "--features", train, "--out", out, "--json");
  assert.equal(again.code, 0, again.err);
  assert.match(again.err, /is there/);
  assert.equal(JSON.parse(again.out).slides.length, 18);
  await writeSlide(`${folder}/other`, "x", 1, 4);
  assert.equal((await seal("predict", "--run", run, "--features", `${folder}/other`, "--out", out)).code, 2);
});

Deno.test("slides that cannot be used are listed where there are others, and refused alone; nothing else is written", async () => {
  const run = await trained("meanmil");
  const mixed = `${folder}/mixed`;
  await writeSlide(mixed, "good", 1, 5);
  await writeSlide(mixed, "wide", 1, 5, DIM + 1);
  await writeSlide(mixed, "empty", 1, 0);
  const cut = await writeSlide(mixed, "cut", 1, 5);
  Deno.truncateSync(cut, 600);
  const changed = await writeSlide(`${folder}/alone`, "changed", 2, 5);
  const bytes = Deno.readFileSync(changed);
  const first = new Uint8Array(Float32Array.of(Math.sin(1.7 + 2), Math.sin(2 * 1.7 + 2)).buffer);
  const at = bytes.findIndex((_, i) => first.every((byte, k) => bytes[i + k] === byte));
  bytes[at]! ^= 1;
  Deno.writeFileSync(changed, bytes);
  Deno.copyFileSync(changed, `${mixed}/changed.h5`);
  const out = `${folder}/partly`;
  const { code, out: text, err } = await seal("predict", "--run", run, "--features", mixed, "--out", out, "--json");
  assert.equal(code, 3, err);
  const errors = new Map(
    (JSON.parse(text).slides as { slide: string; error?: string }[]).map((row) => [row.slide, row.error]),
  );
  assert.equal(errors.get("good"), undefined);
  assert.match(errors.get("wide")!, /wide\.h5: rows of 7 numbers, expected 6 as the run was trained on/);
  assert.match(errors.get("empty")!, /empty\.h5: it has no rows/);
  assert.match(errors.get("changed")!, /changed\.h5: their SHA-256 is/);
  assert.match(errors.get("cut")!, /cut\.h5/);
  assert.deepEqual([...Deno.readDirSync(out)].map(({ name }) => name).sort(), ["predictions.csv", "predictions.json"]);
  const alone = await seal("predict", "--run", run, "--features", `${folder}/alone`, "--out", `${folder}/none`);
  assert.equal(alone.code, 4, alone.err);
  assert.throws(() => Deno.statSync(`${folder}/none`));
});

Deno.test("what does not go together is refused before a device opens", async () => {
  const run = `${folder}/gated`;
  const refused = async (wanted: RegExp, ...args: string[]) => {
    const { code, err } = await seal("predict", "--out", `${folder}/nothing`, ...args);
    assert.equal(code, 2, err);
    assert.match(err, wanted);
  };
  await refused(/Cannot predict with --features and --data/, "--run", run, "--features", train, "--data", train);
  Deno.mkdirSync(`${folder}/hest/patches`, { recursive: true });
  await writeSlide(`${folder}/hest/patches`, "a", 1, 3);
  await refused(
    /models of method mil give no expression\nhint: It tells classes of slides from stored features: deno task predict --run/,
    "--run",
    run,
    "--data",
    `${folder}/hest`,
  );
  const nowhere = await seal("predict", "--out", `${folder}/nothing`, "--run", run, "--features", `${folder}/nowhere`);
  assert.equal(nowhere.code, 4, nowhere.err);
  Deno.writeTextFileSync(`${run}/checkpoints/best/model.json`, "{}");
  const damaged = await seal("predict", "--out", `${folder}/nothing`, "--run", run, "--features", train);
  assert.equal(damaged.code, 4, damaged.err);
  assert.match(damaged.err, /model\.json/);
  assert.throws(() => Deno.statSync(`${folder}/nothing`));
});
