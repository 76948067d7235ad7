/**
 * Planted worlds by the command `mil`: 200 bags to train on, of which those of one class hold 4 % of tiles that the mean hides. For
 * each seed the AUC over the first 200 test bags and over all 800 (of 200 an AUC is known to 0.04, of 800 to 0.02), of models
 * trained on the labels and on shuffled ones, and the AUC of attention on the planted tiles. Appends a record a seed to
 * `bench/results/mil.jsonl`.
 *
 * ```sh
 * deno run -A bench/methods/mil/worlds.ts [--seeds 0,1,2] [--folder DIR] [--dry]
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

async function measure(seed: number, folder: string): Promise<void> {
  const world = makeWorld(seed, TEST);
  const { features, labels } = await writeWorld(folder, { seed, world, test: TEST });
  const shuffled = `${folder}/shuffled.tsv`;
  await writeWorld(folder, { seed, world, test: TEST, labels: shuffled, tableOnly: true, shuffled: true });
  disk.write(`${folder}/config.yaml`, "task_col: label\nsample_col: case_id\n");
  const run = async (split: string, models: string, name: string) => {
    const out = `${folder}/${name}`;
    const inputs = ["--features", features, "--split", split, "--task", `${folder}/config.yaml`];
    const args = ["mil", ...inputs, "--model", models, "--seed", String(seed), "--out", out, ...KEYS];
    const { command, seconds } = await commanded(args, folder);
    const attention: Record<string, number> = {};
    for (const model of models.split(",").filter((name) => name !== "meanmil")) {
      attention[model] = await attentionAuc(`${out}/runs/features/${model}/fold_0/evaluation/attention`, world);
    }
    return { command, seconds, auc: scoresOf(out), attention };
  };
  await record({
    case: `world ${seed}, 200 bags to train on, ${TEST} to test on`,
    labels: await run(labels, "abmil,gated,meanmil", "labels"),
    shuffled: await run(shuffled, "abmil,gated", "shuffled"),
  });
}

const folder = workFolder();
for (const seed of (flag("--seeds") ?? "0,1,2").split(",").map(Number)) {
  const own = `${folder}/world${seed}`;
  Deno.mkdirSync(own, { recursive: true });
  await measure(seed, own);
}
