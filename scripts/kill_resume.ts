/**
 * Kills a command with SIGKILL, again and again, gives it again each time, and compares what it leaves with a run that was never
 * killed, byte for byte.
 *
 * Half of the kills fall at a random time, half at a random call that changes the file system, which if it is a write is torn:
 * half of its bytes are written. The same seed gives the same kills of the second sort.
 *
 * deno run --allow-read --allow-write --allow-env --allow-run scripts/kill_resume.ts [--job NAME,…] [--kills 20] [--seed 1] [--keep FOLDER] [-- MORE ARGUMENTS]
 *
 * @module
 */

import { Rng } from "../src/core/rng.ts";
import { type Job, jobsOf, optionOf, remove, type Results, resultsOf } from "./kill_jobs.ts";

/** The command line. */
export const MAIN: string = new URL("../src/cli/main.ts", import.meta.url).pathname;
const KILL_AT = new URL("kill_at.ts", import.meta.url).pathname;

/** What a launched command may, but for the place of its output; to kill itself it must be let to end processes. */
const MAY = ["--no-prompt", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"];

/** Starts a script with what a launched command may. */
export function start(script: string, args: readonly string[]): Deno.ChildProcess {
  const may = script === KILL_AT ? [...MAY, "--allow-run"] : MAY;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...may, "--no-check", script, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Starts a command that ends itself by SIGKILL at a call that changes the file system. @param counts Gets their number. */
export function startKilledAt(call: string, counts: string, args: readonly string[]): Deno.ChildProcess {
  return start(KILL_AT, [call, counts, ...args]);
}

/** Starts `train`. */
export function train(args: readonly string[]): Deno.ChildProcess {
  return start(MAIN, ["train", ...args]);
}

/** Names of files that differ, or that only one has. */
export function differences(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((name) => {
    const [x, y] = [a.get(name), b.get(name)];
    return !x || !y || x.length !== y.length || x.some((byte, i) => byte !== y[i]);
  });
}

/** A run that was never killed. */
export interface Whole {
  readonly results: Results;
  readonly milliseconds: number;
  /** Calls that changed the file system. */
  readonly calls: number;
}

/** Where and what. */
export interface Setting {
  readonly job: Job;
  readonly inputs: string;
  /** The output; moved away when it is finished. */
  readonly out: string;
  readonly more?: readonly string[];
}

const argsOf = ({ job, inputs, out, more = [] }: Setting) => [...job.args(inputs, out), ...more];

/** Removes what is at the output and makes what must be there. */
function anew({ job, inputs, out }: Setting): void {
  remove(out);
  job.begin?.(inputs, out);
}

/** Runs a job without kills. @throws {Error} If it does not end with status 0 or leaves strays. */
export async function runWhole(setting: Setting): Promise<Whole> {
  const { job, out } = setting;
  anew(setting);
  const counts = `${out}.calls`;
  const before = performance.now();
  const { code, stderr } = await startKilledAt("never", counts, argsOf(setting)).output();
  const milliseconds = performance.now() - before;
  if (code !== 0) throw new Error(`Not killed, it ended with ${code}: ${new TextDecoder().decode(stderr)}`);
  const { results, strays } = resultsOf(job, out);
  if (strays.length) throw new Error(`Not killed, it left ${strays.join(", ")}`);
  const calls = Number(Deno.readTextFileSync(counts));
  Deno.removeSync(counts);
  remove(out);
  return { results, milliseconds, calls };
}

/** What happened. */
export interface Killed {
  /** Kills that hit. */
  readonly kills: number;
  /** Of those, at a call of the file system. */
  readonly torn: number;
  /** Times the job ended before its kill: it was begun anew. */
  readonly late: number;
  /** What is wrong in the end; empty when nothing is. */
  readonly wrong: readonly string[];
}

/** Statuses with which a command that is not killed may end here. */
const FINE = new Set([0]);

/**
 * Kills a job so often, each time giving the same command again, then lets it end, and gives it once more.
 *
 * @param rounds Kills before a job that is still not at its end is let go on: kills without end would only try its beginning.
 */
export async function killAndResume(
  setting: Setting,
  whole: Whole,
  { kills, seed = 1, rounds = 4 }: { kills: number; seed?: number; rounds?: number },
): Promise<Killed> {
  const rng = new Rng(seed, 0);
  const wrong: string[] = [];
  let [hit, torn, late, inRow] = [0, 0, 0, 0];
  anew(setting);
  while (hit < kills) {
    const atCall = rng.uniform() < 0.5;
    const moment = rng.uniform();
    const child = atCall
      ? startKilledAt(String(1 + Math.floor(moment * whole.calls)), "-", argsOf(setting))
      : start(MAIN, argsOf(setting));
    const timer = atCall ? undefined : setTimeout(() => child.kill("SIGKILL"), moment * whole.milliseconds);
    const { code, signal, stderr } = await child.output();
    clearTimeout(timer);
    if (signal === "SIGKILL") {
      hit++;
      if (atCall) torn++;
      if (++inRow < rounds) continue;
      wrong.push(...await finish(setting, whole));
    } else {
      late++;
      if (!FINE.has(code)) wrong.push(`ended with ${code}: ${new TextDecoder().decode(stderr)}`);
      else wrong.push(...compare(setting, whole));
    }
    inRow = 0;
    anew(setting);
    if (wrong.length) break;
  }
  return { kills: hit, torn, late, wrong };
}

/** Lets a job end, and gives it once more: nothing is to change then. */
async function finish(setting: Setting, whole: Whole): Promise<string[]> {
  for (const what of ["resumed", "given again when it was finished"]) {
    const { code, stderr } = await start(MAIN, argsOf(setting)).output();
    if (!FINE.has(code)) return [`${what}, it ended with ${code}: ${new TextDecoder().decode(stderr)}`];
    const wrong = compare(setting, whole);
    if (wrong.length) return wrong.map((text) => `${what}: ${text}`);
  }
  return [];
}

function compare({ job, out }: Setting, whole: Whole): string[] {
  const { results, strays } = resultsOf(job, out);
  return [
    ...strays.map((path) => `stray ${path}`),
    ...differences(whole.results, results).map((path) => `${path} differs`),
  ];
}

if (import.meta.main) {
  const split = Deno.args.indexOf("--");
  const [own, more] = split < 0 ? [Deno.args, []] : [Deno.args.slice(0, split), Deno.args.slice(split + 1)];
  const option = (name: string) => optionOf(own, name);
  const folder = option("--keep") ?? Deno.makeTempDirSync({ prefix: "kill_resume_" });
  let failed = false;
  for (const [name, job] of jobsOf(option("--job"))) {
    const setting: Setting = { job, inputs: `${folder}/inputs`, out: `${folder}/${name}`, more };
    Deno.mkdirSync(setting.inputs, { recursive: true });
    await job.prepare(setting.inputs);
    const whole = await runWhole(setting);
    const again = await runWhole(setting);
    const same = differences(whole.results, again.results);
    console.log(
      `${name}: ${whole.results.size} files, ${whole.calls} calls, ${(whole.milliseconds / 1e3).toFixed(1)} s; ` +
        `twice: ${same.length ? `${same.join(", ")} differ` : "same bytes"}`,
    );
    const options = { kills: Number(option("--kills") ?? 20), seed: Number(option("--seed") ?? 1) };
    const { kills, torn, late, wrong } = await killAndResume(setting, whole, options);
    console.log(
      `${name}: ${kills} kills, ${torn} of them at a call of the file system, ${late} too late; ` +
        (wrong.length ? `WRONG: ${wrong.join("; ")}` : "every time the same bytes, no strays, status 0"),
    );
    failed ||= wrong.length > 0 || same.length > 0;
  }
  if (!option("--keep")) remove(folder);
  Deno.exit(failed ? 1 : 0);
}
