/** Rows of acceptance lead to tests and scripts that are there. */

import assert from "node:assert/strict";
import { ACCEPTANCE } from "../../scripts/acceptance_rows.ts";
import { ROOT } from "../../scripts/exec.ts";

Deno.test("every row is shown by a test or script that exists, under the name it has", () => {
  const wanted = [["S", 12], ["K", 13], ["X", 9]] as const;
  const ids = wanted.flatMap(([letter, count]) => Array.from({ length: count }, (_, i) => `${letter}${i + 1}`));
  assert.deepEqual(ACCEPTANCE.map(({ id }) => id), ids);
  for (const { id, by } of ACCEPTANCE) {
    assert.ok(by.length > 0, id);
    for (const { file, name, args } of by) {
      const text = Deno.readTextFileSync(ROOT + file);
      assert.equal(args === undefined, file.startsWith("tests/"), `${id}: ${file}`);
      if (name === undefined) continue;
      const titles = [...text.matchAll(/Deno\.test\(\s*(["`])((?:(?!\1).)*)\1/gs)].map(([, , title]) => title!);
      assert.ok(titles.some((title) => title.includes(name)), `${id}: ${file} has no test of "${name}"`);
    }
  }
});
