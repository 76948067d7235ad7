/**
 * Changes one bit in every file of a training run, one file at a time, and sees what the commands that read the run make of it:
 * each must name the file or give what it gives of the undamaged run. Nothing may be silent.
 *
 * The run is tried finished and, killed with SIGKILL in the middle, unfinished.
 *
 * deno run --allow-read --allow-write --allow-env --allow-sys --allow-run scripts/bit_flip.ts [--bits 1] [--seed 1] [--only TEXT]
 *
 * @module
 */

import { Rng } from "../src/core/rng.ts";
import { filesBelow, SMALL, smokeData, timelessOfRun } from "./kill_jobs.ts";
import { differences, MAIN, start, startKilledAt } from "./kill_resume.ts";

const option = (name: string) => Deno.args.includes(name) ? Deno.args[Deno.args.indexOf(name) + 1] : undefined;
const bits = Number(option("--bits") ?? 1);
const seed = Number(option("--seed") ?? 1);
const only = option("--only") ?? "";

const folder = Deno.makeTempDirSync({ prefix: "bit_flip_" });
const [data, run, out] = [`${folder}/hest`, `${folder}/run`, `${folder}/out`] as const;

const TRAIN = ["train", "--quiet", "--data", data, "--out", run, ...SMALL, "cache=disk", "save_every_steps=2"];

/** What reads a run, and where its results are. */
const READERS: Readonly<Record<string, { args: readonly string[]; results: string }>> = {
  train: { args: TRAIN, results: run },
  retrieve: { args: ["retrieve", "--quiet", "--run", run, "--queries", "2", "--out", out], results: out },
  predict: {
    args: ["predict", "--quiet", "--run", run, "--data", data, "--samples", "SYN3", "--out", out],
    results: out,
  },
  report: { args: ["report", run], results: run },
};

function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function copy(from: string, to: string): void {
  remove(to);
  for (const path of filesBelow(from)) {
    Deno.mkdirSync(`${to}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.copyFileSync(`${from}/${path}`, `${to}/${path}`);
  }
}

interface Outcome {
  readonly code: number;
  readonly err: string;
  readonly results: Map<string, Uint8Array>;
}

/** Files a command left, without the clock; the cache is no result. */
function resultsIn(path: string, reader: string): Map<string, Uint8Array> {
  const results = new Map<string, Uint8Array>();
  const names = (() => {
    try {
      return filesBelow(path);
    } catch {
      return [];
    }
  })();
  for (const name of names) {
    if (name.startsWith("cache/") || (reader === "report" && name !== "report.html")) continue;
    const bytes = Deno.readFileSync(`${path}/${name}`);
    const kept = path === run && reader !== "report" ? withoutClock(name, bytes) : bytes;
    if (kept) results.set(name, kept);
  }
  return results;
}

/** A file that is damaged beyond reading counts as it is. */
function withoutClock(name: string, bytes: Uint8Array): Uint8Array | undefined {
  try {
    return timelessOfRun(name, bytes);
  } catch {
    return bytes;
  }
}

async function read(reader: string): Promise<Outcome> {
  remove(out);
  const { args, results } = READERS[reader]!;
  const { code, stderr } = await start(MAIN, args).output();
  return { code, err: new TextDecoder().decode(stderr), results: resultsIn(results, reader) };
}

/** Changes one bit of a file. */
function flip(path: string, rng: Rng): string {
  const bytes = Deno.readFileSync(path);
  const at = Math.floor(rng.uniform() * bytes.length);
  const bit = Math.floor(rng.uniform() * 8);
  bytes[at]! ^= 1 << bit;
  Deno.writeFileSync(path, bytes);
  return `bit ${bit} of byte ${at} of ${bytes.length}`;
}

type Verdict = "named" | "undamaged" | "SILENT" | "UNNAMED";

function judge(found: Outcome, whole: Outcome, path: string): Verdict {
  const named = found.err.includes(path);
  if (found.code !== whole.code) return named ? "named" : "UNNAMED";
  // A file that was not read may still be damaged: it is no result of the command.
  const other = differences(found.results, whole.results).filter((name) => name !== path);
  const own = differences(found.results, whole.results).includes(path) && ["report.html"].includes(path);
  if (other.length === 0 && !own) return "undamaged";
  return named ? "named" : "SILENT";
}

async function tryRun(state: string, master: string): Promise<boolean> {
  const rng = new Rng(seed, 0);
  const totals: Record<string, Record<Verdict, number>> = {};
  const files = filesBelow(master).filter((path) => path.includes(only));
  for (const reader of Object.keys(READERS)) {
    copy(master, run);
    const whole = await read(reader);
    console.log(`${state}, ${reader}: undamaged it ends with ${whole.code}, ${whole.results.size} results`);
    const total = totals[reader] = { named: 0, undamaged: 0, SILENT: 0, UNNAMED: 0 };
    for (const path of files) {
      for (let i = 0; i < bits; i++) {
        copy(master, run);
        const where = flip(`${run}/${path}`, rng);
        const found = await read(reader);
        const verdict = judge(found, whole, path);
        total[verdict]++;
        if (verdict === "SILENT" || verdict === "UNNAMED") {
          console.log(
            `  ${verdict}: ${path}, ${where}; status ${found.code}, ${
              differences(found.results, whole.results).join(", ")
            }; ${found.err.trim().slice(0, 300)}`,
          );
        }
      }
    }
  }
  console.log(`${state}: ${files.length} files, ${bits} bits each`);
  for (const [reader, total] of Object.entries(totals)) {
    console.log(`  ${reader.padEnd(9)} ${Object.entries(total).map(([name, n]) => `${name} ${n}`).join(", ")}`);
  }
  return Object.values(totals).every(({ SILENT, UNNAMED }) => SILENT + UNNAMED === 0);
}

try {
  await smokeData(data);
  const counts = `${folder}/calls`;
  const { code, stderr } = await startKilledAt("never", counts, TRAIN).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  copy(run, `${folder}/finished`);
  const calls = Number(Deno.readTextFileSync(counts));
  remove(run);
  await startKilledAt(String(Math.floor(calls * 0.6)), "-", TRAIN).output();
  copy(run, `${folder}/unfinished`);
  const good = [await tryRun("finished", `${folder}/finished`), await tryRun("unfinished", `${folder}/unfinished`)];
  Deno.exitCode = good.every(Boolean) ? 0 : 1;
} finally {
  remove(folder);
}
