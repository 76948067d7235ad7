/**
 * The command `mil` beside PyTorch: three classes, two folds, the same starting weights, bags and order, no dropout. Compares the
 * losses of the first 20 steps and the macro AUC of the test bags; then looks that `results.json` has scores by fold, their mean and
 * standard error, and paired differences. Appends a record to `bench/results/mil.jsonl`.
 *
 * ```sh
 * deno run -A bench/methods/mil/torch.ts [--python python3] [--folder DIR] [--dry]
 * ```
 *
 * @module
 */

import assert from "node:assert/strict";
import { Rng } from "../../../src/core/rng.ts";
import { writeFeatures } from "../../../src/embed/formats.ts";
import { requestGpu } from "../../../src/gpu/device.ts";
import { disk } from "../../../src/io/fs.ts";
import { createMil, type MilKind } from "../../../src/methods/mil/model.ts";
import { epochOrder } from "../../../src/methods/mil/sampling.ts";
import { MODEL_FILE, partFiles } from "../../../src/train/checkpoint.ts";
import { flag, output } from "../../harness.ts";
import { commanded, record, table, workFolder } from "./command.ts";

const [BAGS, TILES, DIM, CLASSES, EPOCHS, HIDDEN, SEED] = [60, 96, 32, 3, 20, 64, 0];
const MODELS: readonly MilKind[] = ["abmil", "gated", "meanmil"];
const TRAINED = { lr: 3e-4, weight_decay: 1e-5, min_lr: 1e-8 };

const folder = workFolder();
const names = Array.from({ length: BAGS }, (_, i) => `bag${String(i).padStart(2, "0")}`);
const labelOf = (i: number) => i % CLASSES;
// Cases in another order than their classes.
const isTest = (fold: number, i: number) => (Math.floor(i / CLASSES) + fold * 2) % 4 === 0;

/** Bags in which a few tiles tell the class. */
async function writeBags(): Promise<void> {
  Deno.mkdirSync(`${folder}/features`, { recursive: true });
  for (const [i, name] of names.entries()) {
    const rng = new Rng(3, i);
    const x = rng.normals(TILES * DIM);
    for (let row = 0; row < 12; row++) x[row * DIM + labelOf(i)]! += 1.2;
    const table = { count: TILES, dim: DIM, attributes: { encoder: "made" } };
    await writeFeatures(disk, `${folder}/features/${name}.h5`, "h5", table, (from, to) => {
      return Float32Array.from(x.subarray(from * DIM, to * DIM));
    });
  }
  const lines = names.map((name, i) =>
    [name, `case_${name}`, labelOf(i), ...[0, 1].map((fold) => isTest(fold, i) ? "test" : "train")].join("\t")
  );
  disk.write(`${folder}/k=all.tsv`, ["slide_id\tcase_id\tgrade\tfold_0\tfold_1", ...lines, ""].join("\n"));
  const dict = ["low", "middle", "high"].map((name, k) => `  ${k}: ${name}\n`).join("");
  disk.write(`${folder}/config.yaml`, `task_col: grade\nsample_col: case_id\nlabel_dict:\n${dict}`);
}

/** Writes what PyTorch starts from. */
async function writeStarts(): Promise<void> {
  const gpu = await requestGpu(navigator.gpu);
  const labels = Object.fromEntries(names.map((name, i) => [name, labelOf(i)]));
  const runs: Record<string, unknown>[] = [];
  for (const model of MODELS) {
    const { parameters } = createMil(gpu, { kind: model, dim: DIM, outputs: CLASSES, hidden: HIDDEN, seed: SEED });
    parameters.allocate();
    const parts = [{ file: MODEL_FILE, names: parameters.state().map(([name]) => name) }];
    const weights = `${model}.safetensors`;
    disk.write(`${folder}/${weights}`, (await partFiles(parameters, parts)).get(MODEL_FILE)!);
    for (const fold of [0, 1]) {
      const train = names.filter((_, i) => !isTest(fold, i));
      const order = Array.from({ length: EPOCHS }, (_, epoch) => {
        const own = epochOrder(train.map((name) => labels[name]!), { balance: "none", seed: SEED, epoch });
        return Array.from(own, (at) => train[at]!);
      }).flat();
      const test = names.filter((_, i) => isTest(fold, i));
      runs.push({ model, fold: `fold_${fold}`, weights, labels, order, test, ...TRAINED });
    }
    parameters.destroy();
  }
  gpu.destroy();
  disk.write(`${folder}/runs.json`, JSON.stringify(runs));
}

/** A run of PyTorch. */
interface Peer {
  readonly model: string;
  readonly fold: string;
  readonly losses: readonly number[];
  readonly auc: number;
}

await writeBags();
const out = `${folder}/out`;
const inputs = [
  "--features",
  `${folder}/features`,
  "--split",
  `${folder}/k=all.tsv`,
  "--task",
  `${folder}/config.yaml`,
];
const asked = ["--model", [...MODELS, "mean", "retrieval"].join(), "--seed", String(SEED), "--out", out, "--overwrite"];
const keys = [
  `hidden=${HIDDEN}`,
  `epochs=${EPOCHS}`,
  "dropout=0",
  "attention_dropout=0",
  "balance=none",
  "log_every=1",
];
const { command, seconds, said } = await commanded(["mil", ...inputs, ...asked, ...keys], folder);
await writeStarts();
const script = new URL("torch_peer.py", import.meta.url).pathname;
const peers = (await output(flag("--python") ?? "python3", [script, folder])).split("\n").map((line): Peer =>
  JSON.parse(line)
);
assert.equal(peers.length, 2 * MODELS.length);
const scores = table(`${out}/scores.csv`);
const found = peers.map(({ model, fold, losses, auc }) => {
  const path = `${out}/runs/features/${model}/${fold}/metrics.jsonl`;
  const own = Deno.readTextFileSync(path).trim().split("\n").map((line) => JSON.parse(line));
  const steps = own.filter(({ split }) => split === "train").slice(0, losses.length).map(({ loss }) => loss as number);
  const difference = Math.max(...steps.map((loss, t) => Math.abs(loss - losses[t]!)));
  const row = scores.find((one) => one.model === model && one.fold === fold && one.score === "auc");
  return {
    model,
    fold,
    auc: Number(row?.value),
    torchAuc: auc,
    aucDifference: Math.abs(Number(row?.value) - auc),
    difference,
  };
});
const result = JSON.parse(Deno.readTextFileSync(`${out}/results.json`));
const complete = MODELS.every((model) => {
  const row = result.rows.find((one: { model: string }) => one.model === model);
  const paired = result.differences.filter(({ a, score }: { a: { model: string }; score: string }) => {
    return a.model === model && score === "auc";
  });
  return row.folds.length === 2 && row.scores.auc.se !== undefined && paired.length > 0 &&
    paired.every(({ by_fold }: { by_fold: unknown[] }) => by_fold.length === 2);
});
await record({
  case: `${BAGS} bags of ${TILES} tiles of ${DIM}, ${CLASSES} classes, 2 folds, beside PyTorch`,
  ...{ command, seconds, cost: said.split("\n").find((line) => line.startsWith("To train")) },
  largestLossDifference: Math.max(...found.map(({ difference }) => difference)),
  largestAucDifference: Math.max(...found.map(({ aucDifference }) => aucDifference)),
  ...{ complete, retrieval: result.retrieval.length, runs: found },
});
