/**
 * Changes one bit in every file of a folder that commands read, one file at a time, and sees what these make of it: each must
 * name the file or give what it gives of the undamaged folder. Nothing may be silent.
 *
 * Folders: a run of SEAL, finished and, killed with SIGKILL in the middle, unfinished; one of `method=mil`, both ways; features
 * that `embed` wrote, of every format.
 *
 * deno run --allow-read --allow-write --allow-env --allow-sys --allow-run scripts/bit_flip.ts [--bits 1] [--seed 1] [--only TEXT] [--folder NAME,…] [--reader NAME,…]
 *
 * @module
 */

import { Rng } from "../src/core/rng.ts";
import { copy, filesBelow, milArgs, optionOf, remove, SMALL, smallMil, smokeData, timelessOfRun } from "./kill_jobs.ts";
import { differences, MAIN, start, startKilledAt } from "./kill_resume.ts";

const option = (name: string) => optionOf(Deno.args, name);
const bits = Number(option("--bits") ?? 1);
const seed = Number(option("--seed") ?? 1);
const only = option("--only") ?? "";
const wanted = (flag: string, name: string) => option(flag)?.split(",").includes(name) ?? true;

const folder = Deno.makeTempDirSync({ prefix: "bit_flip_" });
const [data, run, out] = [`${folder}/hest`, `${folder}/run`, `${folder}/out`] as const;

/** A command that reads the folder. */
interface Reader {
  readonly args: readonly string[];
  /** Where its results are. */
  readonly results: string;
  /** Files that it may read; all by default. */
  readonly reads?: RegExp;
}

type Readers = Readonly<Record<string, Reader>>;

const TRAIN = ["train", "--quiet", "--data", data, "--out", run, ...SMALL, "cache=disk", "save_every_steps=2"];
const ENCODER = ["--encoder", SMALL[0]!.replace("encoder=", "")];
const QUERIES = ["--queries", "2", "--shown", "2"];
const EVERY: Readers = {
  report: { args: ["report", run], results: run },
  inspect: { args: ["inspect", run, "--checksums", "--json"], results: out },
};
const SEAL: Readers = {
  train: { args: TRAIN, results: run },
  retrieve: { args: ["retrieve", "--quiet", "--run", run, ...QUERIES, "--out", out], results: out },
  predict: {
    args: ["predict", "--quiet", "--run", run, "--data", data, "--samples", "SYN3", "--out", out],
    results: out,
  },
  ...EVERY,
};
const MIL: Readers = { train: { args: milArgs(folder, run), results: run }, ...EVERY };

/** Formats of features and what reads them: the run's folder holds a folder each. */
const FORMATS = ["h5", "h5ad", "safetensors", "npy", "csv"] as const;
/** Those that commands read back. */
const READ = FORMATS.filter((format) => format !== "csv");
const embedArgs = (format: string) => {
  return ["embed", "--quiet", data, ...ENCODER, "--format", format, "--out", `${run}/${format}`];
};
const FEATURES: Readers = Object.fromEntries([
  ...FORMATS.map((format): [string, Reader] => [
    `embed ${format}`,
    { args: embedArgs(format), results: `${run}/${format}`, reads: new RegExp(`^${format}/`) },
  ]),
  ...READ.map((format): [string, Reader] => [`evaluate ${format}`, {
    args: [
      ...["evaluate", "--quiet", "--data", data, "--panel-genes", "5", "--features", `${run}/${format}`],
      ...["--out", out],
    ],
    results: out,
    reads: new RegExp(`^${format}/`),
  }]),
  ...["h5", "npy"].map((format): [string, Reader] => [`convert ${format}`, {
    args: ["convert", "features", "--quiet", `${run}/${format}`, out, "--to", "eva"],
    results: out,
    reads: new RegExp(`^${format}/`),
  }]),
]);
const BAGS: Readers = {
  "train mil": { args: milArgs(folder, out), results: out },
  convert: { args: ["convert", "features", "--quiet", `${folder}/mil/features`, out, "--to", "eva"], results: out },
};

/** Puts a folder where another may be. */
function put(from: string, to: string): void {
  remove(to);
  copy(from, to);
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
    const kept = reader.startsWith("train") ? withoutClock(name, bytes) : bytes;
    if (kept) results.set(name, withoutHashes(name, kept));
  }
  return results;
}

/** Hashes of the inputs' bytes, by which results are known to be of them, are no results. */
function withoutHashes(name: string, bytes: Uint8Array): Uint8Array {
  if (!name.endsWith(".json")) return bytes;
  return new TextEncoder().encode(new TextDecoder().decode(bytes).replace(/[0-9a-f]{64}/g, "hash"));
}

/** A file that is damaged beyond reading counts as it is. */
function withoutClock(name: string, bytes: Uint8Array): Uint8Array | undefined {
  try {
    return timelessOfRun(name, bytes);
  } catch {
    return bytes;
  }
}

async function read(name: string, { args, results }: Reader): Promise<Outcome> {
  if (results === out) remove(out);
  const { code, stdout, stderr } = await start(MAIN, args).output();
  const [err, said] = [stderr, stdout].map((bytes) => new TextDecoder().decode(bytes));
  // What is found damaged, without the files that are not.
  const found = name === "inspect" && said!.startsWith("{")
    ? JSON.parse(said!).files.filter(({ verdict }: { verdict: string }) => /damaged|missing/.test(verdict))
    : [];
  return { code, err: err + JSON.stringify(found), results: resultsIn(results, name) };
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

/** @param own Its path below the results, where it is among them: a file that was not read may still be damaged. */
function judge(found: Outcome, whole: Outcome, path: string, own: string): Verdict {
  const named = found.err.includes(path);
  if (found.code !== whole.code) return named ? "named" : "UNNAMED";
  const differing = differences(found.results, whole.results);
  if (differing.every((name) => name === own && name !== "report.html")) return "undamaged";
  return named ? "named" : "SILENT";
}

/** @param place Where the readers look for what is copied from `master`. */
async function tryFolder(state: string, master: string, readers: Readers, place: string = run): Promise<boolean> {
  const rng = new Rng(seed, 0);
  const totals: Record<string, Record<Verdict, number>> = {};
  const files = filesBelow(master).filter((path) => path.includes(only));
  for (const [reader, how] of Object.entries(readers)) {
    if (!wanted("--reader", reader)) continue;
    put(master, place);
    const whole = await read(reader, how);
    console.log(`${state}, ${reader}: undamaged it ends with ${whole.code}, ${whole.results.size} results`);
    const total = totals[reader] = { named: 0, undamaged: 0, SILENT: 0, UNNAMED: 0 };
    for (const path of files.filter((path) => how.reads?.test(path) ?? true)) {
      for (let i = 0; i < bits; i++) {
        put(master, place);
        const where = flip(`${place}/${path}`, rng);
        const found = await read(reader, how);
        const own = how.results === place
          ? path
          : how.results.startsWith(`${place}/`)
          ? path.replace(/^\w+\//, "")
          : "";
        const verdict = judge(found, whole, path, own);
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
    console.log(`  ${reader.padEnd(20)} ${Object.entries(total).map(([name, n]) => `${name} ${n}`).join(", ")}`);
  }
  return Object.values(totals).every(({ SILENT, UNNAMED }) => SILENT + UNNAMED === 0);
}

/** A run, finished and killed in the middle. */
async function tryRun(name: string, train: readonly string[], readers: Readers): Promise<boolean[]> {
  const counts = `${folder}/calls`;
  remove(run);
  const { code, stderr } = await startKilledAt("never", counts, train).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  put(run, `${folder}/${name} finished`);
  const calls = Number(Deno.readTextFileSync(counts));
  remove(run);
  await startKilledAt(String(Math.floor(calls * 0.6)), "-", train).output();
  put(run, `${folder}/${name} unfinished`);
  const good: boolean[] = [];
  for (const state of ["finished", "unfinished"]) {
    if (!wanted("--folder", `${name} ${state}`)) continue;
    good.push(await tryFolder(`${name} ${state}`, `${folder}/${name} ${state}`, readers));
  }
  return good;
}

async function tryFeatures(): Promise<boolean> {
  remove(run);
  for (const format of FORMATS) {
    const { code, stderr } = await start(MAIN, embedArgs(format)).output();
    if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  }
  put(run, `${folder}/features`);
  return await tryFolder("features", `${folder}/features`, FEATURES);
}

async function tryBags(): Promise<boolean> {
  put(`${folder}/mil/features`, `${folder}/bags`);
  const good = await tryFolder("bags", `${folder}/bags`, BAGS, `${folder}/mil/features`);
  put(`${folder}/bags`, `${folder}/mil/features`);
  return good;
}

try {
  await smokeData(data);
  await smallMil(folder);
  const good: boolean[] = [];
  const any = (name: string) => ["finished", "unfinished"].some((state) => wanted("--folder", `${name} ${state}`));
  if (any("seal")) good.push(...await tryRun("seal", TRAIN, SEAL));
  if (any("mil")) good.push(...await tryRun("mil", milArgs(folder, run), MIL));
  if (wanted("--folder", "features")) good.push(await tryFeatures());
  if (wanted("--folder", "bags")) good.push(await tryBags());
  Deno.exitCode = good.every(Boolean) ? 0 : 1;
} finally {
  remove(folder);
}
