/**
 * The commands whose recovery from kills is tried, one row each: arguments, inputs, and what of their outputs may not depend
 * on how often they were killed.
 *
 * @module
 */

import { denoFlags, permissionsOf } from "../src/cli/permissions.ts";
import { Rng } from "../src/core/rng.ts";
import { planSynth } from "../src/data/synth/plan.ts";
import { writeSynth } from "../src/data/synth/write.ts";
import { writeFeatures } from "../src/embed/formats.ts";
import { writeTiff } from "../src/io/image/tiff_write.ts";
import { disk } from "../src/io/fs.ts";
import { make, writeOuts } from "../tests/cli/space_ranger.ts";
import { writeSection } from "../tests/cli/st_section.ts";

const WEIGHTS = new URL("../tests/fixtures/weights/types.pth", import.meta.url).pathname;
const FEATURES = new URL("../tests/fixtures/slide_features/trident.h5", import.meta.url).pathname;
const LORA = new URL("../tests/fixtures/encoders/lora_uni", import.meta.url).pathname;

/** Files by their paths below the output, as far as they are to be the same in all runs. */
export type Results = Map<string, Uint8Array>;

/** A command that is killed. */
export interface Job {
  /** Makes what it reads, once. @param inputs A folder that is empty at first and shared by all jobs. */
  prepare(inputs: string): Promise<void>;
  /** Makes what must be at the output before the command is given, where it works on what is there. */
  begin?(inputs: string, out: string): void;
  /** Arguments of the command line. */
  args(inputs: string, out: string): string[];
  /** What may be at the output when it is finished: other files are strays. @param path Below the output. */
  isStray(path: string): boolean;
  /** Content without what depends on the clock; undefined where nothing is left of it. */
  timeless(path: string, bytes: Uint8Array): Uint8Array | undefined;
}

/** Encoder and settings that take a second on a small machine. */
export const SMALL: readonly string[] = [
  "encoder=random:vit_small_patch16_224?dim=32&depth=2&heads=2&patch=32&seed=3",
  "holdout_samples=SYN3",
  "n_train_genes=40",
  "hidden_dims=[16,8]",
  "epochs=3",
  "batch_size=20",
  "cache_views=1",
  "log_every=1",
  "workers=0",
  "panel_genes=5",
];

/** Writes the smallest synthetic data set. */
export async function smokeData(folder: string): Promise<void> {
  if (disk.look(`${folder}/synth.json`)) return;
  await writeSynth(disk, folder, planSynth({ profile: "smoke" }), {
    makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
  });
}

/** Whether a name is one of work under way, of whatever command. */
export function isUnderWay(path: string): boolean {
  return /\.(tmp|lock|new|old|partial|partial\.json|takeover)(\/|$)|(^|\/)\.lock$/.test(path);
}

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** Files of a run without the clock. */
export function timelessOfRun(path: string, bytes: Uint8Array): Uint8Array | undefined {
  // Times themselves, and what holds them or their checksums.
  if (["timing.jsonl", "report.html", "manifest.json"].includes(path)) return undefined;
  if (!/(^|\/)(run|trainer_state)\.json$/.test(path)) return bytes;
  const { started: _, seconds: __, times: ___, metrics, ...rest } = JSON.parse(new TextDecoder().decode(bytes));
  const { timing: ____, ...lengths } = metrics ?? {};
  return json({ ...rest, metrics: lengths });
}

/** Settings of the two trainings. */
const TRAIN: Readonly<Record<string, readonly string[]>> = {
  train: ["cache=disk", "save_every_steps=2"],
  "train-uncached": ["cache=off", "augment=soft", "warmup_epochs=1", "save_every=1"],
};

function trainJob(more: readonly string[]): Job {
  return {
    prepare: (inputs) => smokeData(`${inputs}/hest`),
    args: (inputs, out) => ["train", "--quiet", "--data", `${inputs}/hest`, "--out", out, ...SMALL, ...more],
    isStray: isUnderWay,
    timeless: timelessOfRun,
  };
}

/** An encoder that takes no time. */
const ENCODER = "random:vit_small_patch16_224?dim=32&depth=1&heads=2&patch=32&seed=3";

/** A command whose outputs do not depend on the clock. */
function timelessJob(prepare: Job["prepare"], args: Job["args"]): Job {
  return { prepare, args, isStray: isUnderWay, timeless: (_, bytes) => bytes };
}

/** Trains a run to be used, once. */
async function smokeRun(inputs: string): Promise<void> {
  await smokeData(`${inputs}/hest`);
  if (disk.look(`${inputs}/run/manifest.json`)) return;
  const main = new URL("../src/cli/main.ts", import.meta.url).pathname;
  const args = ["train", "--quiet", "--data", `${inputs}/hest`, "--out", `${inputs}/run`, ...SMALL];
  const may = denoFlags(await permissionsOf(args));
  const { code, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", ...may, main, ...args] }).output();
  if (code !== 0) throw new Error(`Cannot train: ${new TextDecoder().decode(stderr)}`);
}

/** Settings of a training on features of slides that takes a second. */
export const SMALL_MIL: readonly string[] = [
  ...["hidden=8", "heads=2", "tiles=20", "batch_size=2", "epochs=4", "log_every=1"],
  "save_every_steps=3",
];

/** Writes features of slides and their labels. */
export async function smallMil(inputs: string): Promise<void> {
  const folder = `${inputs}/mil`;
  if (disk.look(`${folder}/labels.tsv`)) return;
  Deno.mkdirSync(`${folder}/features`, { recursive: true });
  const [count, dim] = [200, 32];
  const lines = ["slide_id\tcase_id\tlabel\tfold_0"];
  for (let i = 0; i < 20; i++) {
    const name = `slide_${String(i).padStart(2, "0")}`;
    const x = new Rng(0, i).normals(count * dim, 1 + i % 2);
    lines.push(`${name}\tcase_${i}\t${i % 2 ? "wide" : "narrow"}\t${i < 10 ? "train" : "test"}`);
    const coords = Int32Array.from({ length: 2 * count }, (_, k) => 512 * k);
    const table = { count, dim, attributes: { encoder: "none" }, coords };
    const rows = (from: number, to: number) => x.slice(from * dim, to * dim);
    await writeFeatures(disk, `${folder}/features/${name}.h5`, "h5", table, rows);
  }
  disk.write(`${folder}/labels.tsv`, lines.join("\n") + "\n");
}

/** Command line of a training on them. */
export function milArgs(inputs: string, out: string): string[] {
  const task = [`features=${inputs}/mil/features`, `labels=${inputs}/mil/labels.tsv`];
  return ["train", "--quiet", "method=mil", ...task, ...SMALL_MIL, "--out", out];
}

/** Files of runs on folds without the clock. */
export function timelessOfFolds(path: string, bytes: Uint8Array): Uint8Array | undefined {
  return timelessOfRun(path.replace(/^runs\/[^/]+\/[^/]+\/[^/]+\//, ""), bytes);
}

/** Command line of all folds of them. */
function foldArgs(inputs: string, out: string): string[] {
  const files = ["--features", `${inputs}/mil/features`, "--split", `${inputs}/mil/folds.tsv`];
  const task = ["--task", `${inputs}/mil/task.yaml`, "--model", "abmil,meanmil"];
  return ["mil", "--quiet", ...files, ...task, ...SMALL_MIL.filter((key) => !key.startsWith("heads")), "--out", out];
}

/** Writes folds that test either half. */
async function smallFolds(inputs: string): Promise<void> {
  await smallMil(inputs);
  const lines = Deno.readTextFileSync(`${inputs}/mil/labels.tsv`).trim().split("\n");
  const sides: Readonly<Record<string, string>> = { fold_0: "fold_1", train: "test", test: "train" };
  const both = lines.map((line) => `${line}\t${sides[line.split("\t").at(-1)!]}`);
  disk.write(`${inputs}/mil/folds.tsv`, `${both.join("\n")}\n`);
  disk.write(`${inputs}/mil/task.yaml`, "task_col: label\nsample_col: case_id\n");
}

/** Value of a flag. */
export function optionOf(args: readonly string[], name: string): string | undefined {
  return args.includes(name) ? args[args.indexOf(name) + 1] : undefined;
}

/** Removes what is at a path, if anything is. */
export function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Copies a folder. */
export function copy(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copy(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}

const ofRun = (inputs: string) => ["--quiet", "--run", `${inputs}/run`, "--checkpoint", "last"];
const data = (inputs: string) => smokeData(`${inputs}/hest`);

/** Two slides of a few hundred tiles. */
function slides(inputs: string): Promise<void> {
  if (disk.look(`${inputs}/slides`)) return Promise.resolve();
  Deno.mkdirSync(`${inputs}/slides`);
  for (const [name, width, height] of [["a b", 700, 500], ["c", 500, 450]] as const) {
    const rows = (top: number, count: number) =>
      Uint8Array.from({ length: count * width * 3 }, (_, i) => (i * 7 + (top + Math.floor(i / width)) * 13) & 255);
    writeTiff(disk, `${inputs}/slides/${name}.tif`, { width, height, pixelSize: 0.5, rows });
  }
  return Promise.resolve();
}

/** Jobs by name. */
export const JOBS: Readonly<Record<string, Job>> = {
  ...Object.fromEntries(Object.entries(TRAIN).map(([name, more]) => [name, trainJob(more)])),
  "train-mil": { prepare: smallMil, args: milArgs, isStray: isUnderWay, timeless: timelessOfRun },
  mil: { prepare: smallFolds, args: foldArgs, isStray: isUnderWay, timeless: timelessOfFolds },
  embed: timelessJob(data, (inputs, out) => {
    const patches = [0, 1, 2].map((i) => `${inputs}/hest/patches/SYN${i}.h5`);
    return ["embed", "--quiet", ...patches, "--encoder", ENCODER, "--batch-size", "4", "--out", out];
  }),
  "embed-csv": timelessJob(data, (inputs, out) => {
    return ["embed", "--quiet", `${inputs}/hest`, "--encoder", ENCODER, "--format", "csv", "--out", out];
  }),
  "embed-slides": timelessJob(slides, (inputs, out) => {
    const grid = ["--mag", "20", "--patch-size", "32", "--everywhere", "--workers", "1"];
    return ["embed", "--quiet", `${inputs}/slides`, "--encoder", ENCODER, "--batch-size", "8", ...grid, "--job", out];
  }),
  evaluate: timelessJob(data, (inputs, out) => {
    const sources = ["colour", ENCODER].flatMap((encoder) => ["--encoder", encoder]);
    return ["evaluate", "--quiet", "--data", `${inputs}/hest`, ...sources, "--panel-genes", "5", "--out", out];
  }),
  retrieve: timelessJob(smokeRun, (inputs, out) => {
    return ["retrieve", ...ofRun(inputs), "--queries", "2", "--shown", "2", "--embeddings", "--out", out];
  }),
  predict: timelessJob(smokeRun, (inputs, out) => {
    return ["predict", ...ofRun(inputs), "--data", `${inputs}/hest`, "--out", out];
  }),
  "predict-slides": timelessJob(
    async (inputs) => {
      await smokeRun(inputs);
      await slides(inputs);
    },
    (inputs, out) => {
      const both = ["a b", "c"].flatMap((name) => ["--slide", `${inputs}/slides/${name}.tif`]);
      return ["predict", ...ofRun(inputs), ...both, "--grid", "40", "--everywhere", "--workers", "1", "--out", out];
    },
  ),
  report: {
    ...timelessJob(smokeRun, (_, out) => ["report", "--quiet", out]),
    begin(inputs, out) {
      copy(`${inputs}/run`, out);
      Deno.removeSync(`${out}/report.html`);
    },
  },
  "convert-merge": timelessJob(
    () => Promise.resolve(),
    (_, out) => {
      const names = ["--encoder", LORA, "--adapter", `${LORA}/adapter`];
      return ["convert", "merge", "--quiet", ...names, "--out", `${out}/model.safetensors`];
    },
  ),
  "convert-visium": timelessJob(
    async (inputs) => {
      if (!disk.look(`${inputs}/visium`)) await writeOuts(make(0), `${inputs}/visium`);
    },
    (inputs, out) => ["convert", "visium", `${inputs}/visium`, "--quiet", "--wsi", "deflate", "--out", out],
  ),
  "convert-st": timelessJob(
    (inputs) => {
      for (const id of ["S1", "S2"]) writeSection(`${inputs}/st`, id);
      return Promise.resolve();
    },
    (inputs, out) => ["convert", "st", `${inputs}/st`, "--quiet", "--out", out],
  ),
  "convert-weights": timelessJob(
    () => Promise.resolve(),
    (_, out) => ["convert", "weights", "--quiet", WEIGHTS, `${out}/model.safetensors`, "--dtype", "f32"],
  ),
  "convert-features": timelessJob(
    (inputs) => {
      Deno.mkdirSync(`${inputs}/features`, { recursive: true });
      for (const name of ["a", "b", "c"]) Deno.copyFileSync(FEATURES, `${inputs}/features/${name}.h5`);
      return Promise.resolve();
    },
    (inputs, out) => ["convert", "features", "--quiet", `${inputs}/features`, out, "--to", "clam"],
  ),
  synth: timelessJob(
    () => Promise.resolve(),
    (_, out) => ["synth", "--quiet", "--profile", "smoke", "--slides", "3", "--wsi", "--out", out],
  ),
};

/** Jobs of a list of names, all without one. @throws {Error} If there is no job of a name. */
export function jobsOf(names: string | undefined): [name: string, job: Job][] {
  return (names?.split(",") ?? Object.keys(JOBS)).map((name) => {
    const job = JOBS[name];
    if (!job) throw new Error(`No job ${name}; there are ${Object.keys(JOBS).join(", ")}`);
    return [name, job];
  });
}

/** Paths of all files below a folder, sorted. */
export function filesBelow(folder: string, path = ""): string[] {
  return [...Deno.readDirSync(`${folder}/${path}`)].sort((a, b) => (a.name < b.name ? -1 : 1)).flatMap((entry) =>
    entry.isDirectory ? filesBelow(folder, `${path}${entry.name}/`) : [`${path}${entry.name}`]
  );
}

/** What a job left; a single file is named "". */
export function resultsOf(job: Pick<Job, "isStray" | "timeless">, out: string): { results: Results; strays: string[] } {
  const info = Deno.statSync(out);
  const paths = info.isFile ? [""] : filesBelow(out);
  const results: Results = new Map();
  for (const path of paths) {
    const kept = job.timeless(path, Deno.readFileSync(path === "" ? out : `${out}/${path}`));
    if (kept && !job.isStray(path)) results.set(path, kept);
  }
  return { results, strays: paths.filter((path) => job.isStray(path)) };
}
