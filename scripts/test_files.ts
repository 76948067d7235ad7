/**
 * The files of tests: found, put in an order, and run in processes of their own, several at a time.
 *
 * @module
 */

import { exec, ROOT, type Tally } from "./exec.ts";

/** How one file of tests ended. */
export interface FileResult {
  path: string;
  tally: Tally;
  /** Everything that it printed. */
  output: string;
  /** User and system seconds of its process and of those it waited for; undefined off Linux. */
  cpu: number | undefined;
  /** Seconds from its start to its end. */
  wall: number;
}

/** Options of `deno test` whose value is a word of its own. */
const VALUES: ReadonlySet<string> = new Set(["--filter", "--reporter", "--junit-path", "--ignore"]);

/** Folders at the root that hold no tests of this project. */
const OTHERS: ReadonlySet<string> = new Set(["data", "runs", "node_modules", "coverage"]);

/** Processes at a time, for each core: tests wait for a device about as long as they compute. */
const JOBS_PER_CORE = 2;
/** Most processes at a time: the largest take 2 GB. */
const MOST_JOBS = 8;

/** Files that take longer and do not say so are named by {@linkcode timesTable}. */
const SLOW_SECONDS = 15;

/** Runs a program and appends the times of the shell and those of its children. */
const TIMED = `"$@"; status=$?; times; exit $status`;
const TIMES = /\d+m[\d.]+s \d+m[\d.]+s\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n/;

/** Parts arguments into paths and options of `deno test`. */
export function splitArgs(args: readonly string[]): { paths: string[]; options: string[] } {
  const isOption = (word: string, i: number) => word.startsWith("-") || VALUES.has(args[i - 1] ?? "");
  return { paths: args.filter((word, i) => !isOption(word, i)), options: args.filter(isOption) };
}

function* walk(folder: string): Generator<string> {
  for (const entry of [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory && !entry.name.startsWith(".")) yield* walk(path);
    else if (entry.isFile && entry.name.endsWith("_test.ts")) yield path;
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    // `deno test` says what is wrong with it.
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Files of tests below each path, relative to the root; the whole project without paths. */
export function testFiles(paths: readonly string[] = []): string[] {
  const folders = [...Deno.readDirSync(ROOT)].filter(({ isDirectory, name }) =>
    isDirectory && !name.startsWith(".") && !OTHERS.has(name)
  );
  const all = paths.length > 0 ? paths : folders.map(({ name }) => name).sort();
  const files = all.flatMap((path) => {
    const at = path.startsWith("/") ? path : ROOT + path;
    return isFolder(at) ? [...walk(at.replace(/\/+$/, ""))] : [at];
  });
  return [...new Set(files)].map((file) => file.startsWith(ROOT) ? file.slice(ROOT.length) : file);
}

/** CPU seconds that the first comment of a file says it takes, as `@seconds 40`; 0 for one that says nothing. */
export function declaredSeconds(text: string): number {
  return Number(/^\/\*\*(?:(?!\*\/)[^])*?@seconds (\d+)/.exec(text)?.[1] ?? 0);
}

function secondsOf(path: string): number {
  try {
    return declaredSeconds(Deno.readTextFileSync(path.startsWith("/") ? path : ROOT + path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Reads the closing line of `deno test`. */
function readSummary(output: string): Tally | undefined {
  const found = [...output.matchAll(/^(?:ok|FAILED) \|(.*)$/gm)].pop()?.[1];
  if (found === undefined) return undefined;
  const count = (word: string): number => Number(new RegExp(`(\\d+) ${word}`).exec(found)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}

async function runFile(path: string, flags: readonly string[], env: Record<string, string>): Promise<FileResult> {
  const started = performance.now();
  const command = [Deno.execPath(), "test", ...flags, path];
  const timed = Deno.build.os === "linux" ? ["sh", "-c", TIMED, "sh", ...command] : command;
  const { code, output } = await exec(timed[0]!, timed.slice(1), { env, quiet: true });
  const [, minutes, seconds, minutes2, seconds2] = (TIMES.exec(output) ?? []).map(Number);
  // A module that does not load, or a run that ends before its closing line, fails no test by itself.
  const tally = readSummary(output) ?? { passed: 0, failed: 1, skipped: 0 };
  if (code !== 0) tally.failed = Math.max(1, tally.failed);
  return {
    path,
    tally,
    output: output.replace(TIMES, ""),
    cpu: minutes === undefined ? undefined : 60 * (minutes + minutes2!) + seconds! + seconds2!,
    wall: (performance.now() - started) / 1000,
  };
}

/**
 * Runs each file in a process of its own, several at a time, those that say they are slow first.
 *
 * @param flags Arguments of `deno test` before the path.
 * @param done Called as each file ends.
 * @param jobs Processes at a time.
 */
export async function runFiles(
  paths: readonly string[],
  flags: readonly string[],
  env: Record<string, string>,
  done: (result: FileResult) => void,
  jobs: number = Math.min(JOBS_PER_CORE * navigator.hardwareConcurrency, MOST_JOBS),
): Promise<FileResult[]> {
  const weighed = paths.map((path) => ({ path, seconds: secondsOf(path) }));
  const waiting = weighed.toSorted((a, b) => b.seconds - a.seconds);
  const results: FileResult[] = [];
  async function work(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const result = await runFile(next.path, flags, env);
      results.push(result);
      done(result);
    }
  }
  await Promise.all(Array.from({ length: jobs }, work));
  return results;
}

/** The slowest files, and what they should say of themselves where that is far off. */
export function timesTable(results: readonly FileResult[], most = 25): string {
  const cost = ({ cpu, wall }: FileResult): number => cpu ?? wall;
  const lines = results.toSorted((a, b) => cost(b) - cost(a)).slice(0, most).map((result) => {
    const declared = secondsOf(result.path);
    const off = Math.max(cost(result), declared) >= SLOW_SECONDS &&
      !(declared >= cost(result) / 3 && declared <= cost(result) * 3);
    const seconds = [result.cpu, result.wall].map((value) => (value?.toFixed(1) ?? "-").padStart(8)).join("");
    return `${seconds}  ${result.path}${off ? `  (mend its comment: @seconds ${Math.round(cost(result))})` : ""}`;
  });
  return ["   CPU s  wall s  file", ...lines].join("\n");
}
