/**
 * Runs the tests: makes sure of an adapter, runs each file in a process of its own, several at a time, shows what it
 * printed as it ends, then the coverage of the operations, and ends with one line `N passed, N failed`. `--times` lists the
 * slowest files; other arguments go to `deno test` (`--filter gelu`, paths).
 *
 * @module
 */

import { ensureAdapter, mayInstall } from "../src/cli/setup.ts";
import { ROOT, tallyLine } from "./exec.ts";
import { type FileResult, runFiles, splitArgs, testFiles, timesTable } from "./test_files.ts";

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

/** Prints what a file printed, unless all of its tests are filtered out. */
function show({ path, tally, output, cpu }: FileResult): void {
  const took = cpu === undefined ? "" : ` (${cpu.toFixed(1)} s of CPU)`;
  if (tally.passed + tally.failed + tally.skipped > 0) console.log(`\n${path}${took}\n${output.trim()}`);
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
  const { paths, options } = splitArgs(args.filter((word) => word !== "--times"));
  // Types are checked by `deno task check`; here they would only delay the first result.
  const flags = [...PERMISSIONS, "--quiet", "--no-check", ...options];
  // Commands name npx in what they say where npx started them, which depends on who runs the tests.
  const results = await runFiles(testFiles(paths), flags, { ...env, npm_command: "" }, show);
  const rows = await readCoverage(started);
  if (rows.length > 0) console.log(`\n${table(rows)}\n${rows.length} operations`);
  if (args.includes("--times")) console.log(`\n${timesTable(results)}`);
  const cpu = results.reduce((sum, result) => sum + (result.cpu ?? 0), 0);
  const wall = (Date.now() - started) / 1000;
  console.log(`\n${results.length} files in ${wall.toFixed(0)} s, ${cpu.toFixed(0)} s of CPU`);
  const broken = results.filter((result) => result.tally.failed > 0).map(({ path }) => path).sort();
  if (broken.length > 0) console.log(`failed: ${broken.join(" ")}`);
  const tally = { passed: 0, failed: 0, skipped: 0 };
  for (const result of results) {
    for (const key of ["passed", "failed", "skipped"] as const) tally[key] += result.tally[key];
  }
  if (tally.passed + tally.failed === 0) console.log("No test matched");
  const failed = tally.failed > 0 || tally.passed === 0;
  console.log(tallyLine(failed && tally.failed === 0 ? { ...tally, failed: 1 } : tally));
  Deno.exit(failed ? 1 : 0);
}
