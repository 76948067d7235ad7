/**
 * The commands whose recovery from kills is tried, one row each: arguments, inputs, and what of their outputs may not depend
 * on how often they were killed.
 *
 * @module
 */

import { planSynth } from "../src/data/synth/plan.ts";
import { writeSynth } from "../src/data/synth/write.ts";
import { disk } from "../src/io/fs.ts";

/** Files by their paths below the output, as far as they are to be the same in all runs. */
export type Results = Map<string, Uint8Array>;

/** A command that is killed. */
export interface Job {
  /** Makes what it reads, once. @param inputs A folder that is empty at first and shared by all jobs. */
  prepare(inputs: string): Promise<void>;
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

/** Jobs by name. */
export const JOBS: Readonly<Record<string, Job>> = {
  ...Object.fromEntries(Object.entries(TRAIN).map(([name, more]) => [name, trainJob(more)])),
};

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
