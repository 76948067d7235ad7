/**
 * Stopping: every signal alike, whatever the command is doing, with the command that goes on; the terminal stays clean.
 *
 * @seconds 16
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { commandLine, quoted } from "../../src/cli/interrupt.ts";
import { denoFlags } from "../../src/cli/permissions.ts";
import { METHOD_NAMES } from "../../src/methods/index.ts";
import { BURST, STOP_SIGNALS } from "../../src/cli/stop_signals.ts";
import { type Ended, ended, launched, taskArgs } from "./command.ts";
import { inFolder } from "./shared.ts";
import { make, writeOuts } from "./space_ranger.ts";
import { writeSection } from "./st_section.ts";

const POSIX = Deno.build.os !== "windows";

/** Starts a command line as the launcher does, without it: signals reach the command itself. */
async function start(args: readonly string[]): Promise<Deno.ChildProcess> {
  return (await launched(args)).spawn();
}

/** How a command line ends. */
async function run(args: readonly string[]): Promise<Ended> {
  return await ended((await start(args)).output());
}

async function appears(path: string): Promise<void> {
  for (;;) {
    if (await Deno.lstat(path).then(() => true, () => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Files below a folder with their bytes. */
function tree(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  const walk = (path: string) => {
    for (const entry of [...Deno.readDirSync(path)].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const at = `${path}/${entry.name}`;
      if (entry.isDirectory) walk(at);
      else files.set(at.slice(folder.length), Deno.readFileSync(at).toHex());
    }
  };
  walk(folder);
  return files;
}

Deno.test({
  name: "every signal stops with status 75 and the command that goes on, which makes the same files",
  ignore: !POSIX,
  fn: () =>
    inFolder(async (folder) => {
      const args = ["synth", "--profile", "smoke", "--slides", "3", "--json", "--out"];
      equal((await run([...args, `${folder}/whole`])).code, 0);
      for (const signal of STOP_SIGNALS) {
        const out = `${folder}/${signal}`;
        const child = await start([...args, out]);
        await appears(`${out}/synth.partial.json`);
        child.kill(signal);
        const { code, out: stdout, err } = await ended(child.output());
        equal(code, 75, err);
        match(err, /^Stopping at the next step; another signal ends at once$/m);
        const resume = `deno task ${[...args, out].join(" ")}`;
        ok(err.includes(`\nInterrupted; go on with: ${resume}\n`), err);
        equal(JSON.parse(stdout).error.hint, resume);
        equal((await run([...args, out])).code, 0);
        deepEqual([...tree(out)], [...tree(`${folder}/whole`)]);
      }
    }),
});

Deno.test({
  name: "a conversion that computes without a pause stops within a step, leaves nothing under way, and goes on",
  ignore: !POSIX,
  fn: () =>
    inFolder(async (folder) => {
      await writeOuts(make(0), `${folder}/V1`);
      writeSection(`${folder}/st`, "S1");
      for (const [what, signal] of [["visium", "SIGTERM"], ["st", "SIGHUP"]] as const) {
        const args = ["convert", what, `${folder}/${what === "st" ? "st" : "V1"}`, "--out"];
        const whole = `${folder}/whole/${what}`;
        equal((await run([...args, whole])).code, 0);
        const out = `${folder}/stopped/${what}`;
        const child = await start([...args, out]);
        await appears(`${out}/convert.json`);
        child.kill(signal);
        const { code, err } = await ended(child.output());
        equal(code, 75, err);
        match(err, /^Stopping at the next step; another signal ends at once$/m);
        deepEqual([...tree(out).keys()].filter((path) => /\.tmp$|lock$/.test(path)), []);
        const folders = [...Deno.readDirSync(out)].filter(({ isDirectory }) => isDirectory);
        for (const { name } of folders) ok([...Deno.readDirSync(`${out}/${name}`)].length > 0, `${name} is empty`);
        equal((await run([...args, out])).code, 0);
        deepEqual([...tree(out)], [...tree(whole)]);
      }
    }),
});

/** Starts `stopped_part.ts`. @returns The process, and what waits until it has said something on stderr. */
function part(how: string) {
  const script = new URL("./stopped_part.ts", import.meta.url).pathname;
  const args = ["run", "--no-check", ...denoFlags({ write: [], env: [], sys: [] }), script, how];
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const said = async (wanted: string) => {
    while (!text.includes(wanted)) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
    }
    return text;
  };
  return { child, said };
}

Deno.test({
  name: "a second signal ends at once what has not ended by itself, with status 75",
  ignore: !POSIX,
  async fn() {
    const { child, said } = part("waits");
    await said("begun\n");
    child.kill("SIGTERM");
    await said("another signal ends at once\n");
    // Signals closer together are one, as a terminal and its wrappers give them.
    await new Promise((resolve) => setTimeout(resolve, 1.2 * BURST));
    child.kill("SIGINT");
    const text = await said("never said");
    match(text, /^Stopping at once$/m);
    match(text, /^Interrupted; go on with: .*deno.* task train --out runs\/a$/m);
    equal((await child.status).code, 75);
  },
});

Deno.test({
  name: "a part that computes without a pause learns of a signal by its progress, once",
  ignore: !POSIX,
  async fn() {
    const { child, said } = part("computes");
    await said("begun\n");
    child.kill("SIGINT");
    const text = await said("never said");
    match(text, /begun\nStopping at the next step; another signal ends at once\nsaved\nInterrupted; go on with: /);
    ok(!text.includes("Stopping at once"), text);
    equal((await child.status).code, 75);
  },
});

Deno.test("the command that goes on can be pasted", () => {
  equal(quoted("a b's"), `'a b'\\''s'`);
  equal(quoted("hidden_dims=[16,8]"), "'hidden_dims=[16,8]'");
  match(commandLine(["embed", "a b", "--out", "x"]), /^(deno|npx --yes deno@\S+) task embed 'a b' --out x$/);
});

Deno.test("names of files and words of the command line cannot steer the terminal", async () => {
  const hostile = "a\x1b[2J\u202e\nb";
  for (
    const args of [["inspect", hostile], ["embed", hostile, "--encoder", "x"], [hostile], ["inspect", `--${hostile}`]]
  ) {
    const { code, out, err } = await run(args);
    const text = err + out;
    ok(code === 2 || code === 4, text);
    // deno-lint-ignore no-control-regex
    ok(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(text), JSON.stringify(text));
    ok(/a\\(x|u00)1b\[2J\\u202e\\nb/.test(text), text);
  }
});

Deno.test("only the terminal's own file and the probe write to the console", () => {
  for (const folder of ["cli", "worker"]) {
    for (const { name } of Deno.readDirSync(new URL(`../../src/${folder}`, import.meta.url))) {
      if (["terminal.ts", "adapter_probe.ts", "signal_listener.ts"].includes(name)) continue;
      const text = Deno.readTextFileSync(new URL(`../../src/${folder}/${name}`, import.meta.url));
      ok(!/console\.|Deno\.std(out|err)\.write/.test(text), `${folder}/${name}`);
    }
  }
});

Deno.test("a place that cannot be written is refused before any work, naming what it is", () =>
  inFolder(async (folder) => {
    const file = `${folder}/file`;
    await Deno.writeTextFile(file, "mine");
    const encoder = ["--encoder", "random:vit_small_patch16_224?dim=32&depth=1&heads=2"];
    const commands: string[][] = [
      ...METHOD_NAMES.map((name) => ["train", `method=${name}`]),
      ["synth"],
      ["synth", "--overwrite"],
      ["retrieve", "--run", "none"],
      ["evaluate", "--data", "none", ...encoder],
    ];
    for (const command of commands) {
      for (const out of [file, `${file}/below`]) {
        const { code, err } = await run([...command, "--out", out]);
        equal(code, 2, `${command}: ${err}`);
        ok(err.includes(`Cannot write to ${out}: `) && err.includes("is a file"), `${command}: ${err}`);
        match(err, /^hint: Pass --out/m);
      }
    }
    equal(await Deno.readTextFile(file), "mine");
    deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["file"]);
  }));

Deno.test({
  name: "a reader that goes away is no failure",
  ignore: !POSIX,
  async fn() {
    const words = [Deno.execPath(), ...taskArgs("train"), "--help"].map(quoted).join(" ");
    const { stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", `set -o pipefail; { ${words}; echo "status $?" >&2; } | head -1`],
    }).output();
    match(new TextDecoder().decode(stdout), /^train: .*\n$/);
    equal(new TextDecoder().decode(stderr), "status 0\n");
  },
});
