/**
 * Prints and enforces the line budgets. Raising one is a decision to be argued for, in this file.
 *
 * Generated files do not count. Function lengths are enforced by the lint plugin beside this script.
 *
 * @module
 */

import { ROOT } from "./exec.ts";

/** One budget: files whose path matches, with the most lines each may have. */
interface Budget {
  what: string;
  match: RegExp;
  lines: number;
}

/** The first match counts. */
const BUDGETS: readonly Budget[] = [
  // The body that all matmul kernels share: a kernel in its own right.
  { what: "kernel family body", match: /^kernels\/lib\/(matmul|patch)_.*\.wgsl$/, lines: 150 },
  { what: "kernel library", match: /^kernels\/lib\/.*\.wgsl$/, lines: 60 },
  { what: "kernel", match: /^kernels\/[^/]+\.wgsl$/, lines: 150 },
  { what: "operation", match: /^src\/ops\/.*\.ts$/, lines: 200 },
  { what: "encoder spec", match: /^src\/models\/encoders\/.*\.ts$/, lines: 60 },
  { what: "source file", match: /^src\/.*\.ts$/, lines: 400 },
];
// Raised from 40,000 when training, evaluation and the report joined the engine, and from 70,000 when what real files and real
// machines do was answered: atomic files, locks, checksums and owned files, interruption and re-runs of every command,
// permissions, limits before memory is taken, configurations of published encoders. From 100,000 for methods beside SEAL: each is
// a folder of its own, and slides, slide-level tasks and their readers came with the first.
const WHOLE = 140_000;
/**
 * Two of them are decoders of slides (JPEG 2000, WebP), loaded only when such a slide is met; two are in the file for pages alone;
 * one unpacks Zarr, whose codecs (Blosc, shards) no host has.
 */
const NPM_PACKAGES = 10;

async function* walk(folder: string): AsyncGenerator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(ROOT + folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  for (const entry of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* walk(path);
    else if (/\.(ts|wgsl)$/.test(path) && !path.endsWith(".gen.ts")) yield path;
  }
}

/** Packages of the import map that the product needs at run time. */
function npmPackages(): string[] {
  const { imports = {} } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`)) as {
    imports?: Record<string, string>;
  };
  return [...new Set(Object.values(imports).filter((target) => target.startsWith("npm:")))];
}

if (import.meta.main) {
  const groups = BUDGETS.map((budget) => ({ ...budget, files: 0, total: 0, longest: "", most: 0 }));
  const over: string[] = [];
  let whole = 0;
  for (const folder of ["kernels", "src"]) {
    for await (const path of walk(folder)) {
      const group = groups.find((candidate) => candidate.match.test(path));
      if (group === undefined) continue;
      const lines = (await Deno.readTextFile(ROOT + path)).trimEnd().split("\n").length;
      group.files++;
      group.total += lines;
      whole += lines;
      if (lines > group.most) [group.most, group.longest] = [lines, path];
      if (lines > group.lines) over.push(`${path}: ${lines} lines, the budget of a ${group.what} is ${group.lines}`);
    }
  }
  console.log("budget                limit  files   lines  longest");
  for (const { what, lines, files, total, most, longest } of groups) {
    const row = [what.padEnd(20), String(lines).padStart(6), String(files).padStart(6), String(total).padStart(7)];
    console.log(`${row.join(" ")}  ${most > 0 ? `${most} ${longest}` : "-"}`);
  }
  const packages = npmPackages();
  console.log(
    `src + kernels: ${whole} of ${WHOLE} lines; run-time npm packages: ${packages.length} of ${NPM_PACKAGES}`,
  );
  if (whole > WHOLE) over.push(`src + kernels: ${whole} lines, the budget is ${WHOLE}`);
  if (packages.length > NPM_PACKAGES) over.push(`${packages.length} npm packages, the budget is ${NPM_PACKAGES}`);
  for (const line of over) console.error(`Over budget: ${line}`);
  Deno.exit(over.length > 0 ? 1 : 0);
}
