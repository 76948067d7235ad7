/**
 * Shows that a training method is a folder and one line: in a copy of the project, `src/methods/NAME`, its tests, benches and
 * scripts (`tests/methods/NAME` and so on) and its line in `src/methods/index.ts` are deleted; types and the layers are checked, and all other
 * tests run.
 *
 * ```sh
 * deno run -A scripts/without_method.ts NAME [--types | --by-folder] [TEST…]
 * ```
 *
 * `--types` runs no tests; named ones are run instead of all. `--by-folder` runs those of each folder of `tests` in a process of
 * its own, one after another, with a line for each: for small machines, and to see early what fails. `--keep` leaves the copy.
 *
 * @module
 */

import { ROOT } from "./exec.ts";

const [name, ...rest] = Deno.args;
if (name === undefined || !/^\w+$/.test(name)) throw new Error("Name a method, for example mil");
const [typesOnly, byFolder, keep] = ["--types", "--by-folder", "--keep"].map((flag) => rest.includes(flag));
const tests = rest.filter((arg) => !arg.startsWith("--"));

const copy = Deno.makeTempDirSync({ prefix: `without_${name}_` });

async function run(command: string, args: readonly string[], cwd = copy): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (code !== 0) {
    console.log(text(stdout).slice(-8000), text(stderr).slice(-8000));
    Deno.exitCode = 1;
  }
  const tally = /^\d+ passed, \d+ failed.*$/m.exec(text(stdout).trimEnd().split("\n").at(-1)!)?.[0] ?? "";
  console.log(
    `${code === 0 ? "ok    " : "FAIL  "} ${command.split("/").pop()} ${args.slice(0, 3).join(" ")}  ${tally}`,
  );
}

/** Files of the working tree as git knows them, new ones too. */
function files(): string[] {
  const { stdout } = new Deno.Command("git", {
    args: ["ls-files", "-co", "--exclude-standard", "-z"],
    cwd: ROOT,
  }).outputSync();
  return new TextDecoder().decode(stdout).split("\0").filter((path) => path !== "" && exists(ROOT + path));
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path).isFile;
  } catch {
    return false;
  }
}

let dropped = 0;
for (const path of files()) {
  if (new RegExp(`^(src|tests|bench|scripts)/methods/${name}/`).test(path)) {
    dropped++;
    continue;
  }
  const to = `${copy}/${path}`;
  Deno.mkdirSync(to.replace(/\/[^/]*$/, ""), { recursive: true });
  Deno.copyFileSync(ROOT + path, to);
}
const index = `${copy}/src/methods/index.ts`;
const lines = Deno.readTextFileSync(index).split("\n");
const kept = lines.filter((line) => !line.trimStart().startsWith(`${name}: {`));
if (kept.length !== lines.length - 1) throw new Error(`Cannot find the one line of ${name} in src/methods/index.ts`);
Deno.writeTextFileSync(index, kept.join("\n"));
console.log(`Without ${name}: ${dropped} files and one line deleted, in ${copy}`);

// The registry's list of tests is generated from the folder; what is checked is what is left.
const sources = ["mod.ts", "engine.ts", "io.ts", "train.ts", "src", "tests", "scripts", "bench"];
const typed = sources.flatMap((path) => path.endsWith(".ts") ? [path] : list(path))
  .filter((path) => !path.startsWith("bench/peers/"));
await run(Deno.execPath(), ["check", "--quiet", ...typed]);
await run(Deno.execPath(), ["lint", "--quiet"]);
if (!typesOnly) {
  for (const part of byFolder ? parts() : [tests]) await run(Deno.execPath(), ["task", "test", ...part]);
}
if (!keep) Deno.removeSync(copy, { recursive: true });

/** Folders of tests that hold any, or those named. */
function parts(): string[][] {
  if (tests.length > 0) return tests.map((test) => [test]);
  const folders = new Set(
    list("tests").filter((path) => path.endsWith("_test.ts")).map((path) => path.replace(/\/[^/]*$/, "")),
  );
  return [...folders].sort().map((folder) => list(folder).filter((path) => isTestOf(path, folder)));
}

function isTestOf(path: string, folder: string): boolean {
  return path.endsWith("_test.ts") && path.slice(folder.length + 1).split("/").length === 1;
}

function list(folder: string): string[] {
  return [...Deno.readDirSync(`${copy}/${folder}`)].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory ? list(path) : path.endsWith(".ts") ? [path] : [];
  });
}
