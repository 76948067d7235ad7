/**
 * The host's side of training: patches a second with one worker and more, augmentation included, and how long a device waits
 * that takes 1.2 times as long for a batch as the host on all workers. The device is a timer; stage, step order and reading
 * ahead are those of training. Appends a record to `bench/results/pipeline.jsonl`.
 *
 * ```sh
 * deno run -A bench/pipeline.ts [--workers 2] [--batch 64] [--batches 12] [--recipe hard] [--by host|device] [--dry]
 * ```
 *
 * Where the device augments, the host reads patches and draws their rows of numbers, and the time of both counts.
 *
 * @module
 */

import { planSynth } from "../src/data/synth/plan.ts";
import { writeSynth } from "../src/data/synth/write.ts";
import { openTrainingSet } from "../src/data/open_training_set.ts";
import { drawChanges, type Recipe } from "../src/data/image/augment.ts";
import { disk } from "../src/io/fs.ts";
import { AheadImages } from "../src/train/ahead_images.ts";
import { changesRows } from "../src/train/changes_row.ts";
import type { ViewOf } from "../src/train/stem_cache.ts";
import { openPatchPool } from "../src/worker/patch_pool.ts";
import { flag, origin } from "./harness.ts";

const number = (key: string, otherwise: number) => Number(flag(key) ?? otherwise);
const [workers, batch, batches] = [number("--workers", 2), number("--batch", 64), number("--batches", 12)];
const recipe = (flag("--recipe") ?? "hard") as Recipe;
const by = flag("--by") ?? "host";

const folder = Deno.makeTempDirSync({ prefix: "pipeline_" });
await writeSynth(disk, folder, planSynth({ profile: "smoke" }), {
  makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
});
const set = await openTrainingSet(disk, { folders: [folder], genes: { size: "all" } });
const table = set.patchTable();
const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

/** The rows of a batch, an epoch's views. */
const views = (t: number): ViewOf[] =>
  Array.from({ length: batch }, (_, i) => ({ pair: (t * batch + i) % set.count, view: 1 + t }));

/** Processor time of each thread so far, ms; empty where the system does not tell. */
function threads(): Map<string, number> {
  const times = new Map<string, number>();
  try {
    for (const { name } of Deno.readDirSync("/proc/self/task")) {
      const text = Deno.readTextFileSync(`/proc/self/task/${name}/stat`);
      // What follows the name in brackets; user and system time are the 14th and 15th value, in hundredths of a second.
      const values = text.slice(text.lastIndexOf(")") + 2).split(" ");
      times.set(name, 10 * (Number(values[11]) + Number(values[12])));
    }
  } catch {
    // Another system, or not allowed to look.
  }
  return times;
}

/** What a run took. */
interface Run {
  /** Of a batch. */
  readonly ms: number;
  /** Share of the time that the device stood idle. */
  readonly idle: number;
  /** Processor time of a patch, and that of reading it, ms. */
  readonly cpu: number;
  readonly read: number;
  /** Processor time of the busiest thread, ms: what the run takes where there is a core for each. */
  readonly longest: number;
}

async function run(count: number, device: (i: number) => Promise<void>): Promise<Run> {
  const pool = openPatchPool(table, { workers: count, cache: 0 });
  const drawn = { ms: 0, patches: 0 };
  const images = new AheadImages(async (of) => {
    const pairs = Uint32Array.from(of, ({ pair }) => pair);
    if (by === "device") {
      const from = performance.now();
      changesRows(
        table.size,
        of.map(({ pair, view }) => drawChanges(recipe, { seed: 1, epoch: view - 1, index: pair })),
      );
      drawn.ms += performance.now() - from;
      drawn.patches += of.length;
      return (await pool.batch({ pairs })).data;
    }
    return (await pool.batch({ pairs, variant: { recipe, seed: 1, epoch: of[0]!.view - 1 } })).data;
  });
  await images.take(views(0)); // starts the workers
  const each: number[] = [];
  let busy = 0;
  const threadsBefore = threads();
  const { times: before } = pool;
  // From the first batch on: before it there is nothing a device could do.
  let start = 0;
  images.begin(views(1));
  let working: Promise<void> = Promise.resolve();
  for (let t = 1; t <= batches; t++) {
    const from = performance.now();
    const ready = images.take(views(t));
    images.begin(views(t + 1));
    await ready;
    await working;
    const began = performance.now();
    start ||= began;
    working = device(t).then(() => void (busy += performance.now() - began));
    each.push(performance.now() - from);
  }
  await working;
  const whole = performance.now() - start;
  const { times: after } = pool;
  const longest = Math.max(0, ...[...threads()].map(([name, time]) => time - (threadsBefore.get(name) ?? 0)));
  const patches = after.patches - before.patches;
  const read = (after.read - before.read) / patches;
  const augment = (after.augment - before.augment) / patches + drawn.ms / Math.max(1, drawn.patches);
  pool.close();
  return { ms: median(each), idle: 1 - busy / whole, cpu: read + augment, read, longest };
}

const instant = () => Promise.resolve();
const one = await run(1, instant);
const many = await run(workers, instant);
const stub = 1.2 * many.ms;
const fed: number[] = [];
for (let i = 0; i < 3; i++) {
  fed.push((await run(workers, () => new Promise((resolve) => setTimeout(resolve, stub)))).idle);
}
const record = {
  ...await origin(),
  recipe,
  by,
  batch,
  size: table.size,
  workers,
  one_worker: { patches_per_second: batch / one.ms * 1e3, cpu_ms_per_patch: one.cpu, reading: one.read },
  workers_all: { patches_per_second: batch / many.ms * 1e3, cpu_ms_per_patch: many.cpu, reading: many.read },
  speedup: one.ms / many.ms,
  // The same by the busiest thread's processor time, which other work on the machine does not change.
  speedup_by_cpu: many.longest > 0 ? one.longest / many.longest : null,
  load: Deno.loadavg()[0],
  stub_device: { ms_per_batch: stub, idle_share: median([...fed]), idle_shares: fed },
};
console.log(JSON.stringify(record, null, 2));
if (!Deno.args.includes("--dry")) {
  Deno.writeTextFileSync("bench/results/pipeline.jsonl", `${JSON.stringify(record)}\n`, { append: true, create: true });
}
Deno.removeSync(folder, { recursive: true });
