/**
 * Shows that a training method is a folder and one row: in a copy of the project, `src/methods/NAME`, its tests, benches and
 * scripts (`tests/methods/NAME` and so on) and its row of `src/methods/index.ts` are deleted; types and the layers are
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
const text = Deno.readTextFileSync(index);
// The row of the method, which the formatter may have broken into lines.
const kept = text.replace(new RegExp(`^  ${name}: \\{(.*\\},|\\n(    .*\\n)*  \\},)\\n`, "m"), "");
if (kept === text) throw new Error(`Cannot find the row of ${name} in src/methods/index.ts`);
Deno.writeTextFileSync(index, kept);
console.log(`Without ${name}: ${dropped} files and one row deleted, in ${copy}`);

await run("task", "ok", "--only", "check,lint");
if (!typesOnly) await run("task", "test", ...tests);
if (!keep) Deno.removeSync(copy, { recursive: true });
