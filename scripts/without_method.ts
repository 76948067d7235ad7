/**
 * Shows that a training method is a folder and one line: in a copy of the project, `src/methods/NAME`, its tests, benches and
 * scripts (`tests/methods/NAME` and so on) and its line in `src/methods/index.ts` are deleted; types and the layers are
 * checked, and all other tests run.
 *
 * ```sh
 * deno run -A scripts/without_method.ts NAME [--types] [--keep] [TEST…]
 * ```
 *
 * `--types` runs no tests; named ones are run instead of all. `--keep` leaves the copy.
 *
 * @module
 */

import { exec, ROOT } from "./exec.ts";

const [name, ...rest] = Deno.args;
if (name === undefined || !/^\w+$/.test(name)) throw new Error("Name a method, for example mil");
const [typesOnly, keep] = ["--types", "--keep"].map((flag) => rest.includes(flag));
const tests = rest.filter((arg) => !arg.startsWith("--"));

const copy = Deno.makeTempDirSync({ prefix: `without_${name}_` });

async function run(...args: string[]): Promise<void> {
  const { code } = await exec("deno", args, { cwd: copy });
  if (code !== 0) Deno.exitCode = 1;
  console.log(`${code === 0 ? "ok    " : "FAIL  "} deno ${args.slice(0, 5).join(" ")}`);
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

await run("task", "ok", "--only", "check,lint");
if (!typesOnly) await run("task", "test", ...tests);
if (!keep) Deno.removeSync(copy, { recursive: true });
