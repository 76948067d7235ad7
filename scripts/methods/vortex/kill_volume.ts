/**
 * Kills `predict --volume` with SIGKILL between its slabs, each time when more planes were written than before, gives it again each
 * time, and compares what it leaves with a run that was never killed, byte for byte.
 *
 * deno run --allow-read --allow-write --allow-env --allow-run scripts/methods/vortex/kill_volume.ts [--kills 10] [--seed 1] [--keep FOLDER]
 *
 * @module
 */

import { Rng } from "../../../src/core/rng.ts";
import { makePhantom, type Phantom } from "./phantom.ts";
import { isUnderWay, type Job, optionOf, remove, resultsOf } from "../../kill_jobs.ts";
import { differences, MAIN, runWhole, type Setting, start, type Whole } from "../../kill_resume.ts";
import { fewSpots, voxelsOf, writeSection, writeVolume } from "../../../tests/methods/vortex/files.ts";

/** The volume. */
export const phantomOf = (): Phantom => makePhantom("voi", 8, 1, [56, 24, 24]);

/** Command line of a training on it that takes a second. */
export function trainArgs(inputs: string, out: string): string[] {
  const keys = [
    ...["field=64", "slices=4", "width=16", "pool_heads=2", "gene_hidden=8", "epochs_2d=0", "epochs_3d=0", "n_genes=3"],
    ...["encoder=random:vit_small_patch16_224?dim=16&depth=1&heads=2&patch=4&img=8&seed=1", "use_lora=false"],
  ];
  const table = [`volumes=${inputs}/v.tsv`, "voi=voi", "partial_tune=false"];
  return ["train", "--quiet", "method=vortex", "--out", out, ...table, ...keys];
}

/** The volume predicted by it. */
export const VOLUME_JOB: Job = {
  async prepare(inputs) {
    const voi = phantomOf();
    writeVolume(inputs, voi, await voxelsOf(voi));
    await writeSection(`${inputs}/s.h5ad`, voi, fewSpots(voi, 6, 8));
    Deno.writeTextFileSync(`${inputs}/v.tsv`, "volume\tpath\tpatient\texpression\nvoi\tvoi.json\tp\ts.h5ad\n");
    const { code, stderr } = await start(MAIN, trainArgs(inputs, `${inputs}/run`)).output();
    if (code !== 0) throw new Error(`Cannot train: ${new TextDecoder().decode(stderr)}`);
  },
  args: (inputs, out) => [
    ...["predict", "--quiet", "--run", `${inputs}/run`, "--volume", `${inputs}/voi.json`, "--out", out],
    ...["--grid", "16", "--checkpoint", "last"],
  ],
  isStray: (path) => isUnderWay(path) || path.endsWith("slabs.json"),
  timeless: (_, bytes) => bytes,
};

/** Planes that are written so far. */
function planesAt(out: string): number {
  try {
    const written = JSON.parse(Deno.readTextFileSync(`${out}/slabs.json`)) as Record<string, number>;
    return Object.values(written).reduce((a, b) => a + b, 0);
  } catch {
    return 0;
  }
}

/** Kills so often, then lets the job end. @returns Planes that were written at each kill, and what differs in the end. */
export async function killBetweenSlabs(
  setting: Setting,
  whole: Whole,
  { kills, seed = 1 }: { kills: number; seed?: number },
): Promise<{ readonly at: readonly number[]; readonly wrong: readonly string[] }> {
  const { job, inputs, out, more = [] } = setting;
  const rng = new Rng(seed, 0);
  const at: number[] = [];
  remove(out);
  for (let tries = 0; at.length < kills && tries < 4 * kills; tries++) {
    const before = planesAt(out);
    const child = start(MAIN, [...job.args(inputs, out), ...more]);
    const ended = child.output();
    let over = false;
    ended.then(() => over = true);
    while (!over && planesAt(out) <= before) await new Promise((wake) => setTimeout(wake, 2));
    // Somewhere in the next slab, or at its beginning.
    await new Promise((wake) => setTimeout(wake, 20 * rng.uniform()));
    const planes = planesAt(out);
    if (!over) {
      try {
        child.kill("SIGKILL");
      } catch { /* it ended by itself */ }
    }
    if ((await ended).signal === "SIGKILL") at.push(planes);
    else remove(out);
  }
  const { code, stderr } = await start(MAIN, [...job.args(inputs, out), ...more]).output();
  if (code !== 0) return { at, wrong: [`ended with ${code}: ${new TextDecoder().decode(stderr)}`] };
  const { results, strays } = resultsOf(job, out);
  return { at, wrong: [...strays.map((path) => `stray ${path}`), ...differences(whole.results, results)] };
}

if (import.meta.main) {
  const folder = optionOf(Deno.args, "--keep") ?? Deno.makeTempDirSync({ prefix: "kill_volume_" });
  const setting: Setting = { job: VOLUME_JOB, inputs: `${folder}/inputs`, out: `${folder}/out` };
  Deno.mkdirSync(setting.inputs, { recursive: true });
  await VOLUME_JOB.prepare(setting.inputs);
  const whole = await runWhole(setting);
  const kills = Number(optionOf(Deno.args, "--kills") ?? 10);
  const { at, wrong } = await killBetweenSlabs(setting, whole, {
    kills,
    seed: Number(optionOf(Deno.args, "--seed") ?? 1),
  });
  console.log(
    `${whole.results.size} files; ${at.length} kills behind planes ${at.join(", ")}: ` +
      (wrong.length > 0 ? `WRONG: ${wrong.join("; ")}` : "the same bytes, no strays, status 0"),
  );
  if (!optionOf(Deno.args, "--keep")) remove(folder);
  Deno.exit(wrong.length > 0 || at.length < kills ? 1 : 0);
}
