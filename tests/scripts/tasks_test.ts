/** Tasks may do what their scripts do: making a link takes the right to write everywhere, which a list of places is not. */

import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };

const LINKS = /\bDeno\.(sym)?link(Sync)?\(|\b(sym)?linkSync\(/;

Deno.test("no script makes links under a task that may write to some places only", () => {
  const commands = Object.values(config.tasks as Record<string, { command: string }>).map(({ command }) => command);
  const scripts = commands.filter((command) => command.includes("--allow-write=")).map((command) =>
    /scripts\/\w+\.ts$/.exec(command)![0]
  );
  assert.ok(scripts.includes("scripts/build_npm.ts"), scripts.join(" "));
  const text = (path: string) => Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
  assert.deepEqual(scripts.filter((path) => LINKS.test(text(path))), []);
});
