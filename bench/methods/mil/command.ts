/**
 * Commands as a user starts them, under the permissions that their tasks declare, with the time and the memory they take; and
 * the records of what came out.
 *
 * @module
 */

import { parseCsv } from "../../../src/io/csv.ts";
import { launched } from "../../../tests/cli/command.ts";
import { flag, origin } from "../../harness.ts";

/** How a command ended. */
export interface Commanded {
  /** What a user would type. */
  readonly command: string;
  readonly code: number;
  /** What it said on stderr. */
  readonly said: string;
  readonly seconds: number;
  /** Of all its threads: on a busy machine this counts, not the clock. */
  readonly cpuSeconds: number;
  /** Most memory of the process, bytes; of a software adapter the device's is part of it. */
  readonly peakBytes: number;
}

/** Runs a command line; `folder` is left out of what is recorded of it. */
export async function commanded(args: readonly string[], folder: string): Promise<Commanded> {
  const started = performance.now();
  const child = (await launched(args, { stdout: "null", stderr: "piped" })).spawn();
  let [over, peakBytes, cpuSeconds] = [false, 0, 0];
  child.status.then(() => over = true);
  const reading = new Response(child.stderr).text();
  while (!over) {
    try {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      peakBytes = Math.max(peakBytes, 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      // Behind the name: user and system time are the 12th and 13th, in hundredths of a second.
      const stat = Deno.readTextFileSync(`/proc/${child.pid}/stat`).split(") ").pop()!.split(" ");
      cpuSeconds = (Number(stat[11]) + Number(stat[12])) / 100;
    } catch { /* it has ended */ }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { code } = await child.status;
  const said = await reading;
  if (code !== 0 && code !== 3) throw new Error(`${args.join(" ")} ended with ${code}:\n${said}`);
  const command = `deno task ${args.join(" ")}`.replaceAll(folder, ".");
  return { command, code, said, seconds: (performance.now() - started) / 1000, cpuSeconds, peakBytes };
}

/** A CSV file as objects by the names of its columns. */
export function table(path: string): Record<string, string>[] {
  const [head, ...rows] = parseCsv(Deno.readTextFileSync(path), path).map(({ fields }) => fields);
  return rows.map((row) => Object.fromEntries(row.map((value, i) => [head![i]!, value])));
}

/** Prints a record, and appends it to `bench/results/mil.jsonl` but with `--dry`. */
export async function record(facts: Readonly<Record<string, unknown>>): Promise<void> {
  const line = JSON.stringify({ ...facts, load: Deno.loadavg()[0], ...await origin() });
  console.log(line);
  if (Deno.args.includes("--dry")) return;
  const path = new URL("../../results/mil.jsonl", import.meta.url).pathname;
  Deno.writeTextFileSync(path, `${line}\n`, { append: true, create: true });
}

/** Folder of what is written: `--folder`, or a new one. */
export function workFolder(): string {
  const folder = flag("--folder") ?? Deno.makeTempDirSync({ prefix: "mil_bench_" });
  Deno.mkdirSync(folder, { recursive: true });
  return folder;
}
