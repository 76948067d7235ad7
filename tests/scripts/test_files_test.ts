import { deepEqual, equal, match, ok } from "node:assert/strict";
import { ROOT } from "../../scripts/exec.ts";
import {
  declaredSeconds,
  type FileResult,
  runFiles,
  splitArgs,
  testFiles,
  timesTable,
} from "../../scripts/test_files.ts";

Deno.test("arguments of the test command are parted into paths and options", () => {
  deepEqual(splitArgs(["--filter", "tests", "tests/io", "--fail-fast", "a_test.ts", "--filter=gelu"]), {
    paths: ["tests/io", "a_test.ts"],
    options: ["--filter", "tests", "--fail-fast", "--filter=gelu"],
  });
});

Deno.test("without paths every file of tests of the project is found, once", () => {
  const all = testFiles();
  ok(all.includes("tests/scripts/test_files_test.ts"));
  deepEqual(
    testFiles(["tests", "tests/io/", `${ROOT}tests/io/csv_test.ts`]),
    all.filter((p) => p.startsWith("tests/")),
  );
  deepEqual(testFiles(["nowhere_test.ts"]), ["nowhere_test.ts"]);
});

Deno.test("only the first comment of a file says how long it takes", () => {
  equal(declaredSeconds("/** Runs. @seconds 40 */\n/** @seconds 50 */"), 40);
  equal(declaredSeconds("/**\n * Runs.\n *\n * @seconds 7\n */\n"), 7);
  equal(declaredSeconds(`const text = "@seconds 9";`), 0);
});

Deno.test("files run in processes of their own, the slow ones first, and each says what became of it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "test_files_" });
  const texts: Record<string, string> = {
    "a_test.ts": `Deno.test("a", () => { globalThis.left = 1; });`,
    "b_test.ts":
      `Deno.test("b", () => { if ("left" in globalThis) throw 1; });\nDeno.test("c", () => { throw new Error("x"); });`,
    "d_test.ts": `/** @seconds 20 */\nDeno.test({ name: "d", ignore: true, fn() {} });`,
    "e_test.ts": `/** @seconds 30 */\nDeno.test("e", () => Deno.kill(Deno.pid, "SIGKILL"));`,
    "f_test.ts": `import "./missing.ts";`,
  };
  try {
    for (const [name, text] of Object.entries(texts)) await Deno.writeTextFile(`${folder}/${name}`, text);
    const begun: string[] = [];
    const results = await runFiles(
      testFiles([folder]),
      ["--allow-run", "--quiet", "--no-check"],
      {},
      ({ path }) => begun.push(path),
      1,
    );
    deepEqual(
      begun.map((path) => path.slice(folder.length + 1)),
      ["e", "d", "a", "b", "f"].map((name) => `${name}_test.ts`),
    );
    deepEqual(results.map(({ tally: { passed, failed, skipped } }) => [passed, failed, skipped]), [
      [0, 1, 0],
      [0, 0, 1],
      [1, 0, 0],
      [1, 1, 0],
      [0, 1, 0],
    ]);
    for (const { output, cpu, wall } of results) {
      ok(!/\dm[\d.]+s/.test(output) && wall > 0, output);
      equal(cpu === undefined, Deno.build.os !== "linux");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the table of times begins with the slowest and names comments that are far off", () => {
  const result = (path: string, cpu: number | undefined): FileResult => ({
    path,
    cpu,
    wall: 3,
    output: "",
    tally: { passed: 1, failed: 0, skipped: 0 },
  });
  const lines = timesTable([result("quick_test.ts", 1), result("slow_test.ts", 99), result("clock_test.ts", undefined)])
    .split("\n");
  equal(lines.length, 4);
  match(lines[1]!, /^ +99\.0 +3\.0 {2}slow_test\.ts {2}\(mend its comment: @seconds 99\)$/);
  match(lines[2]!, /^ +- +3\.0 {2}clock_test\.ts$/);
  match(lines[3]!, /quick_test\.ts$/);
});
