// deno-lint-ignore-file no-console
/**
 * Times the same work in other WebGPU frameworks and in our engine, each in its own process.
 *
 * ```sh
 * deno run -A bench/peers/main.ts --allow-software
 * ```
 *
 * `--peers a,b`      modules of this folder; default: engine (where engine.ts exists), jax, ort, tfjs
 * `--cases a,b`      keys of CASES in cases.ts; default: all
 * `--seconds 1`      least duration of one repeat
 * `--repeats 5`      repeats; the median and the interquartile range are of these
 * `--budget 300`     seconds for everything; each peer gets an equal share of what is left, and skips what does not fit
 * `--json`           one JSON line per row on stdout instead of the table
 * `--record`         append the rows to bench/results/peers.jsonl
 * `--allow-software` time a software adapter too
 *
 * @module
 */

import { CASES } from "./cases.ts";
import { MARK, type Order } from "./child.ts";
import { baseMs, table } from "./table.ts";
import type { Row } from "./types.ts";

const HERE = new URL("./", import.meta.url);
const RESULTS = new URL("../results/peers.jsonl", HERE);

async function exists(url: URL): Promise<boolean> {
  return await Deno.stat(url).then(() => true, () => false);
}

interface Options {
  peers: string[];
  cases: string[];
  seconds: number;
  repeats: number;
  budget: number;
  json: boolean;
  record: boolean;
  allowSoftware: boolean;
}

async function parse(args: readonly string[]): Promise<Options> {
  const engine = await exists(new URL("engine.ts", HERE));
  const options: Options = {
    peers: [...(engine ? ["engine"] : []), "jax", "ort", "tfjs"],
    cases: Object.keys(CASES),
    seconds: 1,
    repeats: 5,
    budget: 300,
    json: false,
    record: false,
    allowSoftware: false,
  };
  for (let i = 0; i < args.length; i++) {
    const [flag, inline] = args[i]!.split("=", 2) as [string, string?];
    const value = (): string => inline ?? args[++i] ?? "";
    if (flag === "--peers") options.peers = value().split(",");
    else if (flag === "--cases") options.cases = value().split(",");
    else if (flag === "--seconds") options.seconds = Number(value());
    else if (flag === "--repeats") options.repeats = Number(value());
    else if (flag === "--budget") options.budget = Number(value());
    else if (flag === "--json") options.json = true;
    else if (flag === "--record") options.record = true;
    else if (flag === "--allow-software") options.allowSoftware = true;
    else throw new Error(`Cannot read option: ${flag}, one of the list at the top of bench/peers/main.ts wanted`);
  }
  for (const key of options.cases) {
    if (!(key in CASES)) throw new Error(`Cannot find case: ${key}, one of ${Object.keys(CASES).join(", ")} wanted`);
  }
  for (const peer of options.peers) {
    if (!await exists(new URL(`${peer}.ts`, HERE))) {
      throw new Error(`Cannot find peer: ${peer}, a module of ${HERE} wanted`);
    }
  }
  if (!(options.seconds > 0 && options.repeats >= 1 && options.budget > 0)) {
    throw new Error("Cannot measure: --seconds, --repeats and --budget must be positive numbers");
  }
  return options;
}

/** The first error in what a process wrote, three lines of it; Mesa's remark about XDG_RUNTIME_DIR is none. */
function firstError(text: string): string {
  const lines = text.trim().split("\n").filter((line) => !line.includes("XDG_RUNTIME_DIR"));
  const at = Math.max(0, lines.findIndex((line) => line.startsWith("error:")));
  return lines.slice(at, at + 3).map((line) => line.trim()).join(" | ");
}

/** Runs one peer in a child; calls `onRow` as rows arrive. */
async function runPeer(order: Order, killAfterMs: number, onRow: (row: Row) => void): Promise<void> {
  const args = ["run", "-A", "--quiet", "--config", `${import.meta.dirname}/deno.json`];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args, new URL("child.ts", HERE).href, JSON.stringify(order)],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let killed = false;
  const timer = setTimeout(() => {
    killed = true;
    child.kill("SIGKILL");
  }, killAfterMs);
  const stderr = child.stderr.pipeThrough(new TextDecoderStream());
  const complaints = Array.fromAsync(stderr).then((parts) => firstError(parts.join("")));
  const done = new Set<string>();
  let rest = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines.filter((l) => l.startsWith(MARK))) {
      const row = JSON.parse(line.slice(MARK.length)) as Row;
      done.add(row.case);
      onRow(row);
    }
  }
  const { code } = await child.status;
  clearTimeout(timer);
  if (code === 0) return;
  const why = killed ? "time budget: stopped" : `process ended with status ${code}: ${await complaints}`.slice(0, 600);
  const status = killed ? "skipped" : "error";
  for (const key of order.cases) {
    const { name } = CASES[key]!();
    if (!done.has(name)) onRow({ case: name, peer: order.peer, version: "", status, reason: why });
  }
}

async function git(...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command("git", { args, cwd: HERE, stderr: "null" }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** What is needed to judge recorded rows later; taken before the run. */
async function circumstances(args: readonly string[]): Promise<Record<string, unknown>> {
  return {
    date: new Date().toISOString(),
    git: await git("rev-parse", "HEAD"),
    dirty: await git("status", "--porcelain") !== "",
    deno: Deno.version.deno,
    os: `${Deno.build.os} ${Deno.build.arch} ${Deno.osRelease()}`,
    cpus: navigator.hardwareConcurrency,
    load: Deno.loadavg()[0],
    command: ["bench/peers/main.ts", ...args].join(" "),
  };
}

/** Appends the rows to the results. */
async function record(rows: readonly Row[], meta: Record<string, unknown>): Promise<void> {
  await Deno.mkdir(new URL("./", RESULTS), { recursive: true });
  const lines = rows.map((row) => JSON.stringify({ ...meta, ...row }) + "\n");
  await Deno.writeTextFile(RESULTS, lines.join(""), { append: true });
}

/** Entry point; returns the exit status. */
async function main(args: readonly string[]): Promise<number> {
  const options = await parse(args);
  const meta = await circumstances(args);
  const references = await Deno.makeTempDir({ prefix: "peers-" });
  const rows: Row[] = [];
  const start = Date.now();
  const load = Deno.loadavg()[0]!;
  if (load > navigator.hardwareConcurrency / 2) {
    console.error(
      `The machine is busy (load ${load.toFixed(1)} on ${navigator.hardwareConcurrency} CPUs): expect too long times`,
    );
  }
  try {
    for (const [i, peer] of options.peers.entries()) {
      const shareMs = (options.budget * 1000 - (Date.now() - start)) / (options.peers.length - i);
      const { cases, seconds, repeats, allowSoftware } = options;
      const deadline = Date.now() + shareMs;
      const order: Order = { peer, cases, seconds, repeats, allowSoftware, references, deadline };
      await runPeer(order, shareMs + 30_000, (row) => {
        rows.push(row);
        const result = row.medianMs === undefined
          ? `${row.status} ${row.reason ?? ""}`
          : `${row.medianMs.toPrecision(4)} ms`;
        console.error(`${row.peer.padEnd(6)} ${row.case}: ${result}`);
      });
    }
  } finally {
    await Deno.remove(references, { recursive: true });
  }
  const adapters = [...new Set(rows.flatMap((row) => row.adapter ?? []))];
  if (options.json) {
    for (const row of rows) {
      const base = baseMs(rows, row.case);
      const ratio = row.medianMs !== undefined && base !== undefined ? { ratio: row.medianMs / base } : {};
      console.log(JSON.stringify({ ...row, ...ratio }));
    }
  } else {
    console.log(
      `\nadapter ${adapters.join(" / ")}, Deno ${Deno.version.deno}, ${Math.round((Date.now() - start) / 1000)} s`,
    );
    console.log([...new Set(rows.map((row) => row.version))].filter((version) => version !== "").join(", "));
    console.log("ratio: time by that of our engine, of the fastest peer where the engine has none; above 1 is slower");
    console.log("max rel err: largest error by the RMS of the reference; waits: for the device, per repeat\n");
    console.log(table(rows));
  }
  if (options.record) await record(rows, meta);
  if (adapters.length > 1) {
    console.error(`Cannot compare: the peers ran on different adapters: ${adapters.join(" / ")}`);
    return 1;
  }
  if (!rows.some((row) => row.status === "ok")) return 1;
  return rows.some((row) => row.status === "mismatch" || row.status === "elided" || row.status === "error") ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
