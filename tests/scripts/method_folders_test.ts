/** A method is a folder: no other file imports from it, in the sources, tests, benches or scripts; the registry alone loads it. */

import assert from "node:assert/strict";
import { METHOD_NAMES } from "../../src/methods/index.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

function files(folder: string): string[] {
  return [...Deno.readDirSync(ROOT + folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? files(path) : path.endsWith(".ts") ? [path] : [];
  });
}

for (const method of METHOD_NAMES) {
  Deno.test(`nothing but the registry imports from a folder of ${method}`, () => {
    const own = new RegExp(`^(?:src|tests|bench|scripts)/methods/${method}/`);
    const named = new RegExp(`(?:from|import)\\s*\\(?\\s*"[^"]*(?:methods|\\.)/${method}/[^"]*"`);
    const all = ["src", "tests", "bench", "scripts"].flatMap(files).filter((path) => !own.test(path));
    assert.ok(all.length > 500, `${all.length} files`);
    const found = all.filter((path) => named.test(Deno.readTextFileSync(ROOT + path)));
    assert.deepEqual(found, ["src/methods/index.ts"]);
  });
}
