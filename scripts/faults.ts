/**
 * Full disks, places that cannot be written, two writers, signals and locks that were left, over the commands of
 * `kill_jobs.ts`, each started as the launcher starts it. A line a trial; status 1 if one is not as the contract says.
 *
 * Full disks and read-only places need the right to mount (Linux, root).
 *
 * deno run --allow-all scripts/faults.ts full|places|writers|signals|locks [--job NAME,…] [--keep FOLDER]
 *
 * @module
 */

import { STOP_SIGNALS } from "../src/cli/stop_signals.ts";
import { type Ended as Output, ended, launched, task } from "../tests/cli/command.ts";
import { filesBelow, type Job, jobsOf, optionOf, remove, type Results, resultsOf } from "./kill_jobs.ts";
import { differences } from "./kill_resume.ts";

/** How a command ended, and all that it said. */
type Ended = Omit<Output, "out">;

/** A job with its inputs made. */
interface Trial {
  readonly name: string;
  readonly job: Job;
  readonly inputs: string;
  readonly folder: string;
}

let failed = 0;

/** Tells what became of a trial. @param wrong What is not as it should be; empty if all is. */
function tell({ name }: Pick<Trial, "name">, what: string, { code, err }: Ended, wrong: readonly string[]): void {
  if (wrong.length) failed++;
  const [first = ""] = err.split("\n").filter((line) => /^\w*Error|Interrupted/.test(line));
  const said = first.length > 170 ? `${first.slice(0, 170)}…` : first;
  console.log(
    `${name.padEnd(17)} ${what.padEnd(32)} ${code}  ${wrong.length ? `WRONG: ${wrong.join("; ")} ` : ""}${said}`,
  );
  if (wrong.length) console.log(err.trim().replace(/^/gm, "    "));
}

async function run(args: readonly string[]): Promise<Ended> {
  const { code, out, err } = await ended((await launched(args)).output());
  return { code, err: err + out };
}

const there = (path: string) => {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
};

/** Paths below a folder that are of work under way. */
function strays(out: string): string[] {
  return there(out)?.isDirectory ? filesBelow(out).filter((path) => /\.(tmp|new|old)(\/|$)|lock$/.test(path)) : [];
}

async function whole(trial: Trial, out: string): Promise<{ results: Results; milliseconds: number; bytes: number }> {
  remove(out);
  trial.job.begin?.(trial.inputs, out);
  const before = performance.now();
  const ended = await run(trial.job.args(trial.inputs, out));
  if (ended.code !== 0) throw new Error(`${trial.name}: ${ended.code} ${ended.err}`);
  const { results } = resultsOf(trial.job, out);
  const bytes = filesBelow(out).reduce((sum, path) => sum + Deno.statSync(`${out}/${path}`).size, 0);
  return { results, milliseconds: performance.now() - before, bytes };
}

/** What differs from an undisturbed run, and what is left that should not be. */
function compared(trial: Trial, out: string, wanted: Results): string[] {
  const found = resultsOf(trial.job, out);
  return [
    ...found.strays.map((path) => `stray ${path}`),
    // Two files of a run name its folder.
    ...differences(wanted, found.results).filter((path) => !/^(config\.yaml|run\.json)$/.test(path))
      .map((path) => `${path} differs`),
  ];
}

async function system(...command: string[]): Promise<void> {
  const [name, ...args] = command;
  const { code, stderr } = await new Deno.Command(name!, { args }).output();
  if (code !== 0) throw new Error(`${command.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** A small disk, filled so that so much of what the command writes has room. */
async function full(trial: Trial): Promise<void> {
  const small = `${trial.folder}/small`;
  Deno.mkdirSync(small, { recursive: true });
  await system("mount", "-t", "tmpfs", "-o", "size=64m", "none", small);
  try {
    const out = `${small}/out`;
    const { results, bytes } = await whole(trial, `${trial.folder}/whole`);
    for (const share of [0, 0.2, 0.6, 0.9]) {
      remove(out);
      trial.job.begin?.(trial.inputs, out);
      const stood = there(out)
        ? filesBelow(out).reduce((sum, path) => sum + Deno.statSync(`${out}/${path}`).size, 0)
        : 0;
      fill(small, share * (bytes - stood));
      const ended = await run(trial.job.args(trial.inputs, out));
      const wrong = [];
      if (ended.code !== 4) wrong.push(`status ${ended.code}`);
      if (!/DataError: Cannot .*(no space left on the disk|are free)/.test(ended.err)) wrong.push("no disk-full error");
      if (!ended.err.includes(small)) wrong.push("no file is named");
      if (!/hint: Make room/.test(ended.err)) wrong.push("no hint");
      wrong.push(...strays(out).map((path) => `stray ${path}`));
      remove(`${small}/filler`);
      const again = await run(trial.job.args(trial.inputs, out));
      if (again.code !== 0) wrong.push(`given again ${again.code}: ${again.err}`);
      else wrong.push(...compared(trial, out, results).map((text) => `given again ${text}`));
      tell(trial, `${100 * share} % of ${bytes - stood} bytes free`, ended, wrong);
    }
  } finally {
    await system("umount", small);
  }
}

/** Fills a disk but for some bytes. */
function fill(disk: string, free: number): void {
  using file = Deno.openSync(`${disk}/filler`, { write: true, create: true });
  const block = new Uint8Array(4096);
  try {
    for (;;) file.writeSync(block);
  } catch { /* it is full */ }
  file.truncateSync(Math.max(0, file.statSync().size - Math.ceil(free / 4096) * 4096));
}

/** Places that cannot be written, links among them. */
async function places(trial: Trial): Promise<void> {
  const folder = `${trial.folder}/places`;
  remove(folder);
  Deno.mkdirSync(`${folder}/target`, { recursive: true });
  Deno.mkdirSync(`${folder}/read_only`);
  Deno.mkdirSync(`${folder}/mine`);
  Deno.writeTextFileSync(`${folder}/mine/target`, "mine");
  Deno.writeTextFileSync(`${folder}/file`, "mine");
  Deno.symlinkSync("nowhere/at/all", `${folder}/dangling`);
  Deno.symlinkSync("target", `${folder}/link`);
  Deno.symlinkSync("loop", `${folder}/loop`);
  if (trial.job.begin) trial.job.begin(trial.inputs, `${folder}/read_only/out`);
  await system("mount", "--bind", `${folder}/read_only`, `${folder}/read_only`);
  await system("mount", "-o", "remount,ro,bind", `${folder}/read_only`);
  const kinds: readonly [what: string, out: string, said: RegExp][] = [
    ["read-only", `${folder}/read_only/out`, /read-only/],
    ["a file", `${folder}/file`, /is a file/],
    ["below a file", `${folder}/file/below`, /is a file/],
    ["a dangling link", `${folder}/dangling`, /symbolic link.* leads to .*nowhere\/at\/all/],
    ["below a dangling link", `${folder}/dangling/below`, /symbolic link.* leads to .*nowhere\/at\/all/],
    ["a link to itself", `${folder}/loop`, /circle/],
  ];
  try {
    for (const [what, out, said] of kinds) {
      const ended = await run(trial.job.args(trial.inputs, out));
      // The run that is reported on is an input.
      const input = trial.job.begin !== undefined && what !== "read-only";
      const wrong = ended.code === (input ? 4 : 2) ? [] : [`status ${ended.code}`];
      if (!(input ? /is a file|no such folder|circle/ : said).test(ended.err)) wrong.push("not said what it is");
      if (!ended.err.includes(out)) wrong.push("not named");
      if (!/^hint: /m.test(ended.err)) wrong.push("no hint");
      tell(trial, what, ended, wrong);
    }
  } finally {
    await system("umount", `${folder}/read_only`);
  }
  const left = filesBelow(folder).filter((path) => !path.startsWith("read_only/")).join(", ");
  if (left !== "dangling, file, link, loop, mine/target") tell(trial, "left behind", { code: 0, err: "" }, [left]);
  await links(trial, folder);
}

/** Names of a job's files that are tried as links. */
const MOST_LINKS = 8;

/** The output as a link to a folder, which is followed; links at names of our files, which are not. */
async function links(trial: Trial, folder: string): Promise<void> {
  const { results } = await whole(trial, `${trial.folder}/whole`);
  trial.job.begin?.(trial.inputs, `${folder}/begun`);
  if (trial.job.begin) {
    Deno.removeSync(`${folder}/target`);
    Deno.renameSync(`${folder}/begun`, `${folder}/target`);
  }
  const ended = await run(trial.job.args(trial.inputs, `${folder}/link`));
  const wrong = ended.code === 0 ? compared(trial, `${folder}/target`, results) : [`status ${ended.code}`];
  tell(trial, "a link to a folder", ended, wrong);
  const paths = [...results.keys()].filter((path) => path !== "");
  const step = Math.ceil(paths.length / MOST_LINKS);
  for (const path of paths.filter((_, i) => i % step === 0)) {
    const out = `${folder}/names`;
    remove(out);
    trial.job.begin?.(trial.inputs, out);
    Deno.mkdirSync(`${out}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    remove(`${out}/${path}`);
    Deno.symlinkSync(`${folder}/mine/target`, `${out}/${path}`);
    const ended = await run(trial.job.args(trial.inputs, out));
    const wrong = [];
    if (Deno.readTextFileSync(`${folder}/mine/target`) !== "mine") wrong.push("what the link leads to is touched");
    // A report shows what it is given, and says so.
    if (trial.job.begin && (ended.code === 0 || (ended.code === 3 && ended.err.includes(path)))) { /* as it is */ }
    else if (ended.code === 0) wrong.push(...compared(trial, out, results));
    else if (ended.code !== 2) wrong.push(`status ${ended.code}`);
    else if (!ended.err.includes(path.split("/")[0]!)) wrong.push("not named");
    tell(trial, `link at ${path}`, ended, wrong);
    Deno.writeTextFileSync(`${folder}/mine/target`, "mine");
  }
}

/** Two of one command: at the same moment, and one after the other. */
async function writers(trial: Trial): Promise<void> {
  const { results, milliseconds } = await whole(trial, `${trial.folder}/whole`);
  for (const apart of [0, 0, Math.min(3000, 0.5 * milliseconds)]) {
    const out = `${trial.folder}/two`;
    remove(out);
    trial.job.begin?.(trial.inputs, out);
    const args = trial.job.args(trial.inputs, out);
    const first = run(args);
    await new Promise((resolve) => setTimeout(resolve, apart));
    const both = await Promise.all([first, run(args)]);
    const refused = both.filter(({ code }) => code === 2);
    const done = both.filter(({ code }) => code === 0);
    const wrong = compared(trial, out, results);
    if (done.length === 0 || done.length + refused.length < 2) wrong.push(`statuses ${both.map(({ code }) => code)}`);
    for (const { err } of refused) if (!/process \d+ \(/.test(err)) wrong.push("the other is not named");
    const shown = both.find(({ code }) => code !== 0) ?? both[1]!;
    tell(trial, `two, ${(apart / 1e3).toFixed(1)} s apart: ${both.map(({ code }) => code)}`, shown, wrong);
  }
}

/** What a command was doing, by what it had written. */
function phaseOf(out: string): string {
  if (!there(out)?.isDirectory) return "nothing written";
  const files = filesBelow(out).filter((path) => !/\.tmp$/.test(path));
  const has = (pattern: RegExp) => files.some((path) => pattern.test(path));
  if (has(/^run\.json$/)) return "run.json written";
  if (has(/^evaluation\//)) return "evaluation begun";
  if (has(/^checkpoints\/last\//)) return "checkpoint written";
  if (has(/^metrics\.jsonl$/)) return "training";
  if (has(/^cache\//)) return "caching";
  return files.length ? `${files.length} files` : "nothing written";
}

/** A signal at moments all over the run; then the command again. */
async function signals(trial: Trial): Promise<void> {
  const { results, milliseconds } = await whole(trial, `${trial.folder}/whole`);
  const out = `${trial.folder}/stopped`;
  for (const [i, share] of [0.2, 0.35, 0.5, 0.65, 0.8, 0.95].entries()) {
    const signal = STOP_SIGNALS[i % STOP_SIGNALS.length]!;
    remove(out);
    trial.job.begin?.(trial.inputs, out);
    const args = trial.job.args(trial.inputs, out);
    const child = task(args).spawn();
    const [errors, output] = [child.stderr.pipeThrough(new TextDecoderStream()).getReader(), child.stdout.cancel()];
    let [err, phase, sent, said] = ["", "", 0, 0];
    const timer = setTimeout(() => {
      phase = phaseOf(out);
      sent = performance.now();
      try {
        child.kill(signal);
      } catch { /* it has ended */ }
    }, share * milliseconds);
    for (;;) {
      const { value, done } = await errors.read();
      if (done) break;
      err += value;
      if (said === 0 && /^Stopping at/m.test(err)) said = performance.now();
    }
    const { code } = await child.status;
    await output;
    clearTimeout(timer);
    const wrong = sent === 0 ? [] : strays(out).map((path) => `stray ${path}`);
    if (sent === 0 || code === 0) phase = `late; ${phase}`;
    else {
      if (code !== 75) wrong.push(`status ${code}`);
      if (!/go on with: .*task /.test(err)) wrong.push("no command that resumes");
      if (said === 0) wrong.push("not said");
      const again = await run(args);
      if (again.code !== 0) wrong.push(`given again ${again.code}: ${again.err}`);
      else wrong.push(...compared(trial, out, results).map((text) => `given again ${text}`));
    }
    const times = `said ${(said - sent).toFixed(0)} ms, ended ${(performance.now() - sent).toFixed(0)} ms`;
    tell(trial, `${signal} at ${share}, ${phase}${said ? `, ${times.split(",")[0]}` : ""}`, { code, err }, wrong);
  }
}

/** A process that lives and did not lock. */
const OTHER = 1;

/** Locks as other processes left them, and whether they stand in the way. */
const LEFT: Readonly<Record<string, { text(now: number): string; free: boolean; age?: number }>> = (() => {
  const owner = (own: object) => (now: number) =>
    JSON.stringify({
      ...{ pid: 2 ** 22 + 1, hostname: Deno.hostname(), created_at: now / 1000 - 60, command: "train" },
      ...{ started: "1", token: "0123456789abcdef", ...own },
    });
  return {
    "dead process": { text: owner({}), free: true },
    "number given anew": { text: owner({ pid: OTHER }), free: true },
    "another host, fresh": { text: owner({ hostname: "elsewhere" }), free: false },
    "another host, 10 minutes old": { text: owner({ hostname: "elsewhere" }), free: true, age: 6e5 },
    "another host, an hour ahead": { text: owner({ hostname: "elsewhere" }), free: true, age: -36e5 },
    "another host, years ahead": { text: owner({ hostname: "elsewhere" }), free: true, age: -1e11 },
    "dead, an hour ahead": { text: owner({}), free: true, age: -36e5 },
    "garbage": { text: () => "\x00\x01garbage", free: false },
    "half of one": { text: (now) => owner({})(now).slice(0, 40), free: false },
    "empty": { text: () => "", free: true },
  };
})();

/** Locks that were left. */
async function locks(trial: Trial): Promise<void> {
  const { results } = await whole(trial, `${trial.folder}/whole`);
  const out = `${trial.folder}/locked`;
  for (const [what, { text, free, age = 0 }] of Object.entries(LEFT)) {
    remove(out);
    Deno.mkdirSync(trial.job.begin ? trial.folder : out, { recursive: true });
    trial.job.begin?.(trial.inputs, out);
    Deno.writeTextFileSync(`${out}/.lock`, text(Date.now()));
    Deno.utimeSync(`${out}/.lock`, new Date(Date.now() - age), new Date(Date.now() - age));
    const args = trial.job.args(trial.inputs, out);
    const ended = await run(args);
    const wrong = [];
    if (ended.code !== (free ? 0 : 2)) wrong.push(`status ${ended.code}`);
    if (!free && !(ended.err.includes(".lock") && /^hint: /m.test(ended.err))) wrong.push("the lock is not named");
    if (free && ended.code === 0) wrong.push(...compared(trial, out, results));
    tell(trial, `lock: ${what}`, ended, wrong);
  }
}

const KINDS: Readonly<Record<string, (trial: Trial) => Promise<void>>> = { full, places, writers, signals, locks };

const [kind = "", ...rest] = Deno.args;
const option = (name: string) => optionOf(rest, name);
const act = KINDS[kind];
if (!act) throw new Error(`Name one of ${Object.keys(KINDS).join(", ")}`);
const folder = option("--keep") ?? Deno.makeTempDirSync({ prefix: "faults_" });
for (const [name, job] of jobsOf(option("--job"))) {
  const inputs = `${folder}/inputs`;
  Deno.mkdirSync(inputs, { recursive: true });
  await job.prepare(inputs);
  const own = `${folder}/${name}`;
  Deno.mkdirSync(own, { recursive: true });
  await act({ name, job, inputs, folder: own });
}
if (!option("--keep")) remove(folder);
console.log(`${failed} wrong`);
Deno.exit(failed ? 1 : 0);
