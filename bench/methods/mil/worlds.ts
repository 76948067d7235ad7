/**
 * Planted worlds by the command `mil`: 200 bags to train on, of which those of one class hold 4 % of tiles that the mean hides. For
 * each seed the AUC over the first 200 test bags and over all 800 with DeLong's intervals, of models trained on the labels and on
 * shuffled ones, and of CLAM by the default recipe and by its authors' schedule; and the AUC of attention on the planted tiles.
 * Appends a record a run to `bench/results/mil.jsonl`; what a folder holds already is not trained again.
 *
 * ```sh
 * deno run -A bench/methods/mil/worlds.ts [--seeds 0,1,2] [--only labels,shuffled,clam,schedule] [--folder DIR] [--dry]
 * ```
 *
 * @module
 */

import { deLong, rocAuc } from "../../../src/eval/classification.ts";
import { disk } from "../../../src/io/fs.ts";
import { H5File } from "../../../src/io/hdf5/h5.ts";
import { makeWorld, WORLD, type World } from "../../../tests/methods/mil/world.ts";
import { rowAt, writeWorld } from "../../../tests/methods/mil/world_files.ts";
import { flag } from "../../harness.ts";
import { commanded, record, table, workFolder } from "./command.ts";

const TEST = 800;
/** Keys of CLAM's authors, as README has them. */
const SCHEDULE = "epochs=200 lr=2e-4 scheduler=constant tiles=65536 val_fraction=0.1 best_metric=loss " +
  "early_stop_patience=20 early_stop_after=50";
const ATTENTION = ["hidden=64", "log_every=500"];
/** CLAM's own schedule passes over the bags 50 times at least: a world of fewer, and of narrower layers. */
const CLAM = { models: "clam", train: 60 };
const NARROW = ["width=64", "hidden=64", "log_every=500"];

/** What is trained on a world. */
interface Case {
  readonly models: string;
  readonly keys: readonly string[];
  /** What the record adds to the name of the world. */
  readonly note: string;
  readonly shuffled?: boolean;
  /** Bags to train on; all by default. */
  readonly train?: number;
}

const CASES: Readonly<Record<string, Case>> = {
  labels: { models: "abmil,gated,meanmil", keys: ATTENTION, note: "" },
  shuffled: { models: "abmil,gated", keys: ATTENTION, note: ", labels shuffled", shuffled: true },
  clam: { ...CLAM, keys: NARROW, note: ", CLAM by the default recipe" },
  schedule: { ...CLAM, keys: [...NARROW, ...SCHEDULE.split(" ")], note: ", CLAM by its own schedule" },
};

/** AUC of a model over the first bags that are tested on, and over all, with 95 % intervals. */
interface Areas {
  readonly first: number;
  readonly first_interval: readonly number[];
  readonly all: number;
  readonly all_interval: readonly number[];
}

/** AUC with its interval by DeLong's error. */
function area(rows: readonly Record<string, string>[]): [auc: number, interval: readonly number[]] {
  const said = rows.map((row) => Number(row.p_positive));
  const found = deLong(rows.map(({ label }) => label === "positive"), said, said)!;
  const half = 1.959964 * Math.sqrt(found.covariance[0][0]);
  return [found.auc[0], [found.auc[0] - half, found.auc[0] + half]];
}

function scoresOf(out: string): Record<string, Areas> {
  const rows = table(`${out}/predictions.csv`);
  const models = [...new Set(rows.map(({ model }) => model!))].filter((model) => model !== "majority");
  return Object.fromEntries(models.map((model) => {
    const own = rows.filter((row) => row.model === model);
    const [first, first_interval] = area(own.filter(({ unit }) => Number(unit!.split("_").at(-1)) < WORLD.bags));
    const [all, all_interval] = area(own);
    return [model, { first, first_interval, all, all_interval }];
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

/** Steps that a run trained, and which of them the checkpoint is of that is judged. */
function endOf(folder: string): { readonly steps: number; readonly best: number } {
  const { stages, best_step } = JSON.parse(Deno.readTextFileSync(`${folder}/run.json`));
  return { steps: stages.at(-1).to, best: best_step };
}

/** Trains on a world. */
async function measure(seed: number, folder: string, name: string): Promise<void> {
  const { models, keys, note, shuffled = false, train = WORLD.bags } = CASES[name]!;
  const world = makeWorld(seed, TEST);
  const [features, task] = [`${folder}/features`, `${folder}/config.yaml`];
  const split = `${folder}/${shuffled ? "shuffled" : train < WORLD.bags ? "few" : "labels"}.tsv`;
  await writeWorld(folder, {
    ...{ seed, world, train, test: TEST, labels: split, shuffled },
    tableOnly: [`train_${String(train - 1).padStart(3, "0")}`, `test_${TEST - 1}`].every((name) =>
      disk.look(`${features}/${name}.h5`)
    ),
  });
  disk.write(task, "task_col: label\nsample_col: case_id\n");
  const out = `${folder}/${name}`;
  const inputs = ["--features", features, "--split", split, "--task", task];
  const args = ["mil", ...inputs, "--model", models, "--seed", String(seed), "--out", out, ...keys];
  const { command, seconds, cpuSeconds } = await commanded(args, folder);
  const attention: Record<string, number> = {};
  const ends: Record<string, ReturnType<typeof endOf>> = {};
  for (const model of models.split(",")) {
    const run = `${out}/runs/features/${model}/fold_0`;
    ends[model] = endOf(run);
    if (model !== "meanmil") attention[model] = await attentionAuc(`${run}/evaluation/attention`, world);
  }
  await record({
    case: `world ${seed}, ${train} bags to train on, ${TEST} to test on${note}`,
    ...{ command, seconds, cpuSeconds, ends, auc: scoresOf(out), attention },
  });
}

const folder = workFolder();
const only = flag("--only")?.split(",") ?? Object.keys(CASES);
for (const seed of (flag("--seeds") ?? "0,1,2").split(",").map(Number)) {
  const own = `${folder}/world${seed}`;
  Deno.mkdirSync(own, { recursive: true });
  for (const name of only) await measure(seed, own, name);
}
