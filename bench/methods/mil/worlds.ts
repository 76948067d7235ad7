/**
 * Planted worlds by the command `mil`: 200 bags to train on, of which those of one class hold 4 % of tiles that the mean hides. For
 * each seed the AUC over the first 200 test bags and over all 800 (of 200 an AUC is known to 0.04, of 800 to 0.02), of models
 * trained on the labels and on shuffled ones, and the AUC of attention on the planted tiles. Appends a record a run to
 * `bench/results/mil.jsonl`; what a folder holds already is not trained again.
 *
 * ```sh
 * deno run -A bench/methods/mil/worlds.ts [--seeds 0,1,2] [--only labels|shuffled] [--folder DIR] [--dry]
 * ```
 *
 * @module
 */

import { rocAuc } from "../../../src/eval/classification.ts";
import { disk } from "../../../src/io/fs.ts";
import { H5File } from "../../../src/io/hdf5/h5.ts";
import { makeWorld, WORLD, type World } from "../../../tests/methods/mil/world.ts";
import { rowAt, writeWorld } from "../../../tests/methods/mil/world_files.ts";
import { flag } from "../../harness.ts";
import { commanded, record, table, workFolder } from "./command.ts";

const TEST = 800;
const KEYS = ["hidden=64", "log_every=500"];

/** AUC of every model over the first bags that are tested on, and over all. */
function scoresOf(out: string): Record<string, { first: number; all: number }> {
  const rows = table(`${out}/predictions.csv`);
  const models = [...new Set(rows.map(({ model }) => model!))];
  return Object.fromEntries(models.map((model) => {
    const own = rows.filter((row) => row.model === model);
    const auc = (most: number) => {
      const some = own.filter(({ unit }) => Number(unit!.split("_").at(-1)) < most);
      return rocAuc(some.map(({ label }) => label === "positive"), some.map((row) => Number(row.p_positive)))!;
    };
    return [model, { first: auc(WORLD.bags), all: auc(TEST) }];
  }));
}

/** AUC of attention on the planted tiles of a bag: the mean over positive test bags. */
async function attentionAuc(folder: string, { test }: World): Promise<number> {
  const found: number[] = [];
  for (const [i, { label, planted }] of test.entries()) {
    if (!label) continue;
    const name = `test_${String(i).padStart(3, "0")}.h5`;
    using file = await H5File.open(disk.open(`${folder}/${name}`, "read"));
    const attention = file.read("attention") as Float32Array;
    const coords = file.read("coords") as Int32Array;
    const truth = Array.from(attention, (_, row) => planted[rowAt({ x: coords[2 * row]!, y: coords[2 * row + 1]! })]!);
    found.push(rocAuc(truth, attention)!);
  }
  return found.reduce((a, b) => a + b, 0) / found.length;
}

/** Trains on the labels of a world, or on shuffled ones. */
async function measure(seed: number, folder: string, shuffled: boolean): Promise<void> {
  const world = makeWorld(seed, TEST);
  const [name, models] = shuffled ? ["shuffled", "abmil,gated"] : ["labels", "abmil,gated,meanmil"];
  const [features, split, task] = [`${folder}/features`, `${folder}/${name}.tsv`, `${folder}/config.yaml`];
  await writeWorld(folder, {
    ...{ seed, world, test: TEST, labels: split, shuffled },
    tableOnly: disk.look(`${features}/test_${TEST - 1}.h5`) !== undefined,
  });
  disk.write(task, "task_col: label\nsample_col: case_id\n");
  const out = `${folder}/${name}`;
  const inputs = ["--features", features, "--split", split, "--task", task];
  const args = ["mil", ...inputs, "--model", models, "--seed", String(seed), "--out", out, ...KEYS];
  const { command, seconds } = await commanded(args, folder);
  const attention: Record<string, number> = {};
  for (const model of models.split(",").filter((one) => one !== "meanmil")) {
    attention[model] = await attentionAuc(`${out}/runs/features/${model}/fold_0/evaluation/attention`, world);
  }
  const of = `world ${seed}, 200 bags to train on, ${TEST} to test on`;
  await record({ case: shuffled ? `${of}, labels shuffled` : of, command, seconds, auc: scoresOf(out), attention });
}

const folder = workFolder();
const only = flag("--only");
for (const seed of (flag("--seeds") ?? "0,1,2").split(",").map(Number)) {
  const own = `${folder}/world${seed}`;
  Deno.mkdirSync(own, { recursive: true });
  for (const name of ["labels", "shuffled"]) {
    if (only === undefined || only === name) await measure(seed, own, name === "shuffled");
  }
}
