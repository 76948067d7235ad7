/** The engine of training knows no method: none of its files names one, in code, texts or comments. */

import assert from "node:assert/strict";
import { METHOD_NAMES } from "../../src/methods/index.ts";

const TRAIN = new URL("../../src/train/", import.meta.url).pathname;

function files(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? files(`${folder}${name}/`) : [`${folder}${name}`]
  );
}

/** Lines of a text that name a method as a word or as the first part of one: `SEAL`, `sealInput`, `mil_rows`. */
function naming(text: string, method: string): string[] {
  const word = new RegExp(`(?<![A-Za-z])${method}(?![a-z])|(?<![A-Za-z])${method.toUpperCase()}(?![A-Z])`, "i");
  return text.split("\n").filter((line) => word.test(line.replaceAll(/Seal(?=Error\b)/g, "")));
}

Deno.test("no file of src/train names a method", () => {
  const all = files(TRAIN);
  assert.ok(all.length > 15, `${all.length} files`);
  for (const path of all) {
    const text = Deno.readTextFileSync(path);
    for (const method of METHOD_NAMES) assert.deepEqual(naming(text, method), [], `${path} names ${method}`);
  }
  // What it looks for is found.
  for (const line of ["SEAL's rule", `"seal"`, "seal_step", "of Seal"]) {
    assert.equal(naming(line, "seal").length, 1, line);
  }
  for (const line of ["sealed", "openSealed", "family", "SealError"]) {
    assert.deepEqual([...naming(line, "seal"), ...naming(line, "mil")], [], line);
  }
});
