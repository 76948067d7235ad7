/**
 * Runs the tests: makes sure of an adapter, shows `deno test` while it runs, then the coverage of the operations, and
 * ends with one line `N passed, N failed`. Arguments go to `deno test` (`--filter gelu`, paths).
 *
 * @module
 */

import { ensureAdapter, mayInstall } from "../src/cli/setup.ts";
import { exec, ROOT, type Tally, tallyLine } from "./exec.ts";

/** One row of `tests/.coverage.json`, written by the operation tests. */
interface Coverage {
  op: string;
  cases: number;
  [column: string]: unknown;
}

/**
 * What tests may: programs by name, this machine's network alone, folders for temporary files. Writing has no list: links, which
 * the cache of downloads is tested with, take the whole.
 */
const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
  "--allow-net=127.0.0.1,localhost",
  `--allow-run=${[Deno.execPath(), "env", "sh", "bash", "mount", "umount", "unshare", "vips"].join(",")}`,
];

/** Reads the closing line of `deno test`. */
function readSummary(output: string): Tally | undefined {
  const found = [...output.matchAll(/^(?:ok|FAILED) \|(.*)$/gm)].pop()?.[1];
  if (found === undefined) return undefined;
  const count = (word: string): number => Number(new RegExp(`(\\d+) ${word}`).exec(found)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}

/** The rows that a run since `started` wrote; none if the operations were not tested. */
async function readCoverage(started: number): Promise<Coverage[]> {
  const path = `${ROOT}tests/.coverage.json`;
  const written = await Deno.stat(path).then((info) => info.mtime?.getTime() ?? 0, () => 0);
  // A second of slack for file systems with coarse times.
  return written < started - 1000 ? [] : JSON.parse(await Deno.readTextFile(path)) as Coverage[];
}

/** The rows as a table with aligned columns. */
function table(rows: readonly Coverage[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const show = (value: unknown): string => {
    if (typeof value === "boolean") return value ? "yes" : "-";
    if (typeof value === "number" && !Number.isInteger(value)) return value.toExponential(1);
    return Array.isArray(value) ? value.join("+") : String(value ?? "-");
  };
  const cells = [columns, ...rows.map((row) => columns.map((column) => show(row[column])))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  return cells.map((line) => line.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd()).join("\n");
}

if (import.meta.main) {
  const args = Deno.args.filter((word) => word !== "--no-install");
  const { env, probe, mend } = await ensureAdapter({ install: mayInstall(args.length < Deno.args.length) });
  if (!probe.adapter) {
    console.error(`Cannot find a WebGPU adapter: ${probe.error ?? "the system offers none"}\nhint: ${mend}`);
    console.log(tallyLine({ passed: 0, failed: 1, skipped: 0 }));
    Deno.exit(6);
  }
  console.log(`adapter: ${probe.adapter.description}${probe.adapter.software ? " (software)" : ""}`);
  const started = Date.now();
  // Types are checked by `deno task check`; here they would only delay the first result.
  const { code, output } = await exec("deno", ["test", ...PERMISSIONS, "--quiet", "--no-check", ...args], {
    // Commands name npx in what they say where npx started them, which depends on who runs the tests.
    env: { ...env, npm_command: "" },
  });
  const rows = await readCoverage(started);
  if (rows.length > 0) console.log(`\n${table(rows)}\n${rows.length} operations`);
  const tally = readSummary(output) ?? { passed: 0, failed: 0, skipped: 0 };
  // A module that does not load, or a run that dies, fails no test by itself.
  if (code !== 0) tally.failed = Math.max(1, tally.failed);
  if (tally.passed + tally.failed === 0) console.log("No test matched");
  const failed = tally.failed > 0 || tally.passed === 0;
  console.log(tallyLine(failed && tally.failed === 0 ? { ...tally, failed: 1 } : tally));
  Deno.exit(failed ? 1 : 0);
}
