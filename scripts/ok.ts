/**
 * Everything a change must pass, in one command. Each step runs even if an earlier one failed; the last line sums the
 * steps and the tests. `--only a,b` runs some steps, `--platform` adds the op cases under Node and Dawn and the
 * npm package.
 *
 * @module
 */

import { ENTRIES } from "./check_docs.ts";
import { exec, readTally, ROOT, type Tally, tallyLine } from "./exec.ts";

/** One step; `counts` marks those that end with a tally of their own. */
interface Step {
  name: string;
  args: () => string[];
  counts?: boolean;
}

/** Folders of src/ that must also type-check against the browser's library. */
const BROWSER = [
  ..."core gpu graph ops autodiff nn models losses optim data slides train embed eval".split(" "),
  ..."report evidence methods verify".split(" "),
];

/** TypeScript files below `folder`. */
function files(folder: string): string[] {
  return [...Deno.readDirSync(ROOT + folder)].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory ? files(path) : path.endsWith(".ts") ? [path] : [];
  }).sort();
}

function browserFiles(): string[] {
  // The others reach the file system where they are asked for a path.
  return ["engine.ts", ...files("src").filter((path) => BROWSER.includes(path.split("/")[1]!))];
}

/** Everything but bench/peers, which has packages of its own. */
function checkedFiles(): string[] {
  const benches = files("bench").filter((path) => !path.startsWith("bench/peers/"));
  return [...ENTRIES, ...files("src"), ...files("tests"), ...files("scripts"), ...benches];
}

const STEPS: readonly Step[] = [
  { name: "format", args: () => ["fmt", "--check"] },
  { name: "lint", args: () => ["lint"] },
  { name: "check", args: () => ["check", "--quiet", ...checkedFiles()] },
  {
    name: "browser",
    args: () => [
      "check",
      "--quiet",
      "--config",
      "scripts/browser.json",
      "--import-map",
      "deno.json",
      "--no-lock",
      ...browserFiles(),
    ],
  },
  // What imports the package is checked with its own options, and Deno's default ones are looser in two ways.
  {
    name: "defaults",
    args: () => [
      "check",
      "--quiet",
      "--config",
      "scripts/default.json",
      "--import-map",
      "deno.json",
      "--no-lock",
      ...ENTRIES,
      ...files("src"),
    ],
  },
  { name: "generated", args: () => ["task", "kernels", "--check"] },
  { name: "docs", args: () => ["task", "docs"] },
  { name: "budget", args: () => ["task", "budget"] },
  { name: "publish", args: () => ["task", "publish:check"] },
  { name: "test", args: () => ["task", "test"], counts: true },
  { name: "platform", args: () => ["task", "test:platform"], counts: true },
  { name: "packages", args: () => ["task", "test:packages"], counts: true },
];

/** Steps chosen by the arguments. */
function chosen(argv: readonly string[]): Step[] {
  const at = argv.indexOf("--only");
  if (at >= 0) {
    const names = (argv[at + 1] ?? "").split(",");
    const unknown = names.filter((name) => !STEPS.some((step) => step.name === name));
    if (unknown.length > 0) {
      console.error(`Cannot run step ${unknown.join(", ")}: wanted ${STEPS.map((step) => step.name).join(", ")}`);
      Deno.exit(2);
    }
    return STEPS.filter((step) => names.includes(step.name));
  }
  return STEPS.filter(({ name }) => !/^(platform|packages)$/.test(name) || argv.includes("--platform"));
}

if (import.meta.main) {
  const total: Tally = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  const steps = chosen(Deno.args);
  // What the platform tests need, 130 MB on a clean clone, comes while the others run; they say what fails.
  const fetched = steps.some(({ name }) => name === "platform")
    ? exec("deno", ["task", "test:platform", "--fetch"], { quiet: true })
    : undefined;
  for (const step of steps) {
    console.log(`\n== ${step.name}`);
    const started = performance.now();
    if (step.name === "platform") await fetched;
    const { code, output } = await exec("deno", step.args());
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const tally = step.counts ? readTally(output) : undefined;
    const own = tally ?? { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
    // A step that fails without saying what failed still counts.
    if (code !== 0 && own.failed === 0) own.failed = 1;
    if (step.counts && tally === undefined && code === 0) [own.passed, own.failed] = [0, 1];
    total.passed += own.passed;
    total.failed += own.failed;
    total.skipped += own.skipped;
    lines.push(
      `${own.failed === 0 ? "ok  " : "FAIL"}  ${step.name.padEnd(10)} ${seconds.padStart(6)} s  ${tallyLine(own)}`,
    );
  }
  console.log(`\n${lines.join("\n")}\n${tallyLine(total)}`);
  Deno.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
}
