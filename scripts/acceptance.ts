/**
 * Runs what shows the rows of acceptance of SPADE, bulk RNA and all systems together (`acceptance_rows.ts`).
 *
 *     deno run -A scripts/acceptance.ts                 lists the rows and where each is shown
 *     deno run -A scripts/acceptance.ts X1 S5 K2 …      runs these; `all` runs every one
 *     deno run -A scripts/acceptance.ts --quick         the row X6: shapes, gradients and signs in about a minute
 *
 * Prints a line for each with seconds; what a row needs beyond the repository is said where it fails. Exits with 1 if one does.
 *
 * @module
 */

import { exec } from "./exec.ts";
import { ACCEPTANCE, type Shown } from "./acceptance_rows.ts";

/** What tests and scripts need; the network of this machine alone. */
const GRANTED = [
  ...["--no-prompt", "--no-check", "--quiet", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"],
  ...["--allow-net=127.0.0.1,localhost", `--allow-run=${Deno.execPath()},env`],
];

/** How it is run. */
function wordsOf({ file, name, args }: Shown): string[] {
  if (args !== undefined) return ["run", ...GRANTED, file, ...args];
  // As a regular expression: commas and brackets of names are none of the flag's own.
  const filter = name === undefined ? [] : ["--filter", `/${RegExp.escape(name)}/`];
  return ["test", ...GRANTED, file, ...filter];
}

const shownAs = (shown: Shown) => `${shown.file}${shown.name === undefined ? "" : `: ${shown.name}`}`;

const asked = Deno.args.includes("--quick") ? ["X6"] : Deno.args;
const unknown = asked.find((id) => id !== "all" && !ACCEPTANCE.some((row) => row.id === id));
if (unknown !== undefined) {
  console.error(`Cannot run ${unknown}: rows are ${ACCEPTANCE.map(({ id }) => id).join(", ")}`);
  Deno.exit(2);
}
if (asked.length === 0) {
  for (const { id, holds, by, needs } of ACCEPTANCE) {
    console.log(`${id.padEnd(4)} ${holds}${needs === undefined ? "" : ` (needs ${needs})`}`);
    for (const shown of by) console.log(`       ${shownAs(shown)}`);
  }
  Deno.exit(0);
}
let failed = 0;
/** Tests and scripts that several rows have run once. */
const done = new Map<string, boolean>();
for (const { id, holds, by, needs } of ACCEPTANCE) {
  if (!asked.includes("all") && !asked.includes(id)) continue;
  const began = performance.now();
  const wrong: string[] = [];
  for (const shown of by) {
    const words = wordsOf(shown);
    const key = words.join(" ");
    if (!done.has(key)) {
      const { code, output } = await exec("deno", words, { quiet: true });
      // A filter that meets no test is no proof.
      const met = shown.args !== undefined || /\b[1-9]\d* passed\b/.test(output);
      done.set(key, code === 0 && met);
      if (code !== 0 || !met) console.log(output.trim().split("\n").slice(-15).join("\n"));
      // What a script measured, not only that it holds.
      else if (shown.args !== undefined) console.log(output.trim().replace(/^/gm, "       "));
    }
    if (!done.get(key)) wrong.push(shownAs(shown));
  }
  if (wrong.length > 0) failed++;
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const why = wrong.length === 0 ? "" : `: ${wrong.join("; ")}${needs === undefined ? "" : ` (needs ${needs})`}`;
  console.log(`${wrong.length === 0 ? "holds" : "FAILS"}  ${id.padEnd(4)} ${holds}, ${seconds} s${why}`);
}
if (failed > 0) Deno.exit(1);
