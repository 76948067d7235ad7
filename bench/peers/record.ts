/**
 * Rows for later: with what is needed to judge them.
 *
 * @module
 */

import type { Row } from "./types.ts";

const HERE = new URL("./", import.meta.url);
const RESULTS = new URL("../results/peers.jsonl", HERE);

async function git(...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command("git", { args, cwd: HERE, stderr: "null" }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** What is needed to judge recorded rows later; taken before the run. */
export async function circumstances(args: readonly string[]): Promise<Record<string, unknown>> {
  return {
    date: new Date().toISOString(),
    git: await git("rev-parse", "HEAD"),
    // Records of the run before are no change of what is measured.
    dirty: await git("status", "--porcelain", "--", ":/", ":(exclude,top)bench/results") !== "",
    deno: Deno.version.deno,
    os: `${Deno.build.os} ${Deno.build.arch} ${Deno.osRelease()}`,
    cpus: navigator.hardwareConcurrency,
    load: Deno.loadavg()[0],
    command: ["bench/peers/main.ts", ...args].join(" "),
  };
}

/** Appends the rows to the results. */
export async function record(rows: readonly Row[], meta: Record<string, unknown>): Promise<void> {
  await Deno.mkdir(new URL("./", RESULTS), { recursive: true });
  const lines = rows.map((row) => JSON.stringify({ ...meta, ...row }) + "\n");
  await Deno.writeTextFile(RESULTS, lines.join(""), { append: true });
}
