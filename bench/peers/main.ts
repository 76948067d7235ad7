/**
 * Times the same work in other WebGPU frameworks and in our engine, each in its own process.
 *
 * ```sh
 * deno run -A bench/peers/main.ts --allow-software
 * ```
 *
 * `--peers a,b`      modules of this folder; default: engine, engine_gpu, jax, ort, tfjs; for models and starts engine, ort,
 *                    transformers
 * `--cases a,b`      keys of CASES in cases.ts and of STARTS in start.ts, or a group: pieces (default), models, batch32, starts
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
import type { Order } from "./child.ts";
import { driverOf } from "../harness.ts";
import { circumstances, record } from "./record.ts";
import { spawn } from "./spawn.ts";
import { measureStarts, STARTS } from "./start.ts";
import { baseMs, memoryText, table } from "./table.ts";
import type { Row } from "./types.ts";

const HERE = new URL("./", import.meta.url);

const isModel = (key: string): boolean => /^(vit|jpeg)_/.test(key);
/** Words for several cases. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  pieces: Object.keys(CASES).filter((key) => !isModel(key)),
  models: Object.keys(CASES).filter((key) => isModel(key) && !key.endsWith("_b32")),
  batch32: Object.keys(CASES).filter((key) => key.endsWith("_b32")),
  starts: STARTS,
};
const KEYS = [...Object.keys(CASES), ...STARTS];

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
  const options: Options = {
    peers: [],
    cases: ["pieces"],
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
  options.cases = options.cases.flatMap((key) => GROUPS[key] ?? [key]);
  for (const key of options.cases) {
    if (!KEYS.includes(key)) throw new Error(`Cannot find case: ${key}, one of ${KEYS.join(", ")} or a group wanted`);
  }
  if (options.peers.length === 0) {
    const pieces = options.cases.every((key) => GROUPS.pieces!.includes(key));
    options.peers = pieces ? ["engine", "engine_gpu", "jax", "ort", "tfjs"] : ["engine", "ort", "transformers"];
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

/** Runs the cases of one peer in a child; calls `onRow` as rows arrive. */
async function runPeer(order: Order, killAfterMs: number, onRow: (row: Row) => void): Promise<void> {
  const done = new Set<string>();
  const { failure: reason, killed } = await spawn("child.ts", order, (text) => {
    const row = JSON.parse(text) as Row;
    done.add(row.case);
    onRow(row);
  }, { killAfterMs });
  if (reason === undefined) return;
  const status = killed ? "skipped" : "error";
  for (const key of order.cases) {
    const { name } = CASES[key]!();
    if (!done.has(name)) onRow({ case: name, peer: order.peer, version: "", status, reason });
  }
}

/** Entry point; returns the exit status. */
async function main(args: readonly string[]): Promise<number> {
  const options = await parse(args);
  const meta = await circumstances(args);
  const references = await Deno.makeTempDir({ prefix: "peers-" });
  const measured: Row[] = [];
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
      const deadline = Date.now() + shareMs;
      const onRow = (row: Row): void => {
        measured.push(row);
        const result = row.medianMs === undefined
          ? `${row.status} ${row.reason ?? ""}`
          : `${row.medianMs.toPrecision(4)} ms`;
        console.error(`${row.peer.padEnd(10)} ${row.case}: ${result}`);
      };
      const { seconds, repeats, allowSoftware } = options;
      const cases = options.cases.filter((key) => key in CASES);
      const order: Order = { peer, cases, seconds, repeats, allowSoftware, references, deadline };
      if (cases.length > 0) await runPeer(order, shareMs + 30_000, onRow);
      for (const key of options.cases.filter((key) => STARTS.includes(key))) {
        const made = await measureStarts(peer, key, { repeats, allowSoftware, folder: references, deadline });
        made.forEach(onRow);
      }
    }
  } finally {
    await Deno.remove(references, { recursive: true });
  }
  const adapters = [...new Set(measured.flatMap((row) => row.adapter ?? []))];
  const drivers = new Map<string, string | null>();
  for (const adapter of adapters) drivers.set(adapter, await driverOf(adapter));
  const rows = measured.map((row): Row => ({
    ...row,
    ...(row.adapter && { driver: drivers.get(row.adapter) ?? null }),
  }));
  if (options.json) {
    for (const row of rows) {
      const base = baseMs(rows, row.case);
      const ratio = row.medianMs !== undefined && base !== undefined ? { ratio: row.medianMs / base } : {};
      console.log(JSON.stringify({ ...row, ...ratio }));
    }
  } else {
    console.log(
      `\nadapter ${
        adapters.map((adapter) => `${adapter}, ${drivers.get(adapter) ?? "driver unknown"}`).join(" / ")
      }, Deno ${Deno.version.deno}, ${Math.round((Date.now() - start) / 1000)} s`,
    );
    console.log([...new Set(rows.map((row) => row.version))].filter((version) => version !== "").join(", "));
    console.log("ratio: time by that of our engine, of the fastest peer where the engine has none; above 1 is slower");
    console.log(
      "CPU: of all threads; max rel err: largest error by the RMS of the reference; waits: for the device, per repeat",
    );
    console.log(`peak: most memory of the process\n\n${table(rows)}`);
    for (const row of rows) if (row.memory) console.log(`\n${memoryText(row, row.memory)}`);
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
