import { deepEqual, equal, match } from "node:assert/strict";
import { undocumented } from "../../scripts/check_docs.ts";
import { exec, readTally, tallyLine } from "../../scripts/exec.ts";
import { taskArgs } from "../cli/command.ts";

Deno.test("readTally() reads what tallyLine() writes, from the last line only", () => {
  for (const tally of [{ passed: 3, failed: 0, skipped: 0 }, { passed: 0, failed: 2, skipped: 5 }]) {
    deepEqual(readTally(`noise\n${tallyLine(tally)}\n`), tally);
  }
  equal(tallyLine({ passed: 3, failed: 0, skipped: 0 }), "3 passed, 0 failed");
  equal(readTally("3 passed, 0 failed\nnoise"), undefined);
});

Deno.test("exec() keeps the output and the status of a child", async () => {
  const { code, output } = await exec("deno", ["eval", "console.log('a'); Deno.exit(3)"], { quiet: true });
  deepEqual([code, output], [3, "a\n"]);
});

Deno.test("undocumented() names symbols and modules without documentation", () => {
  const location = { filename: "file:///x/src/core/a.ts", line: 7 };
  const symbols = [
    { name: "a", declarations: [{ jsDoc: { doc: "does" }, location }] },
    { name: "b", declarations: [{ location }] },
    { name: "overloaded", declarations: [{ location }, { jsDoc: { doc: "does" }, location }] },
  ];
  deepEqual(undocumented(JSON.stringify({ nodes: { "file:///x/mod.ts": { symbols } } })), {
    symbols: 3,
    missing: ["@module of mod.ts", "b (src/core/a.ts:7)"],
  });
});

async function runTests(source: string): Promise<{ code: number; output: string }> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/sample_test.ts`, source);
    return await exec("deno", [...taskArgs("test"), folder], { quiet: true });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the test command ends with its tally and fails when a test fails", async () => {
  const good = await runTests(`Deno.test("a", () => {}); Deno.test({ name: "b", ignore: true, fn() {} });`);
  deepEqual([good.code, readTally(good.output)], [0, { passed: 1, failed: 0, skipped: 1 }]);
  const bad = await runTests(`Deno.test("a", () => {}); Deno.test("b", () => { throw new Error("x"); });`);
  deepEqual([bad.code, readTally(bad.output)], [1, { passed: 1, failed: 1, skipped: 0 }]);
});

Deno.test("the test command fails when a module does not load or no test matches", async () => {
  const broken = await runTests(`import "./missing.ts";`);
  equal(broken.code, 1);
  match(broken.output, /\n0 passed, 1 failed\n$/);
  const empty = await runTests(``);
  equal(empty.code, 1);
  match(empty.output, /\n0 passed, 1 failed\n$/);
});
