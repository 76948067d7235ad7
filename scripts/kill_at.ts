/**
 * Runs the command line and ends it with SIGKILL at its Nth call that changes the file system: before the call, or, for a
 * write, after half of its bytes. `FILE` gets the number of such calls when the command ends by itself; `-` is none.
 *
 * deno run --allow-all scripts/kill_at.ts N|never FILE ARGUMENTS OF main.ts
 *
 * @module
 */

import { watchFileCalls } from "./file_calls.ts";

const [at, file, ...args] = Deno.args as [string, string, ...string[]];
const fatal = at === "never" ? Infinity : Number(at);
let calls = 0;

const end = watchFileCalls((tear) => {
  if (++calls !== fatal) return;
  tear();
  Deno.kill(Deno.pid, "SIGKILL");
  while (true) { /* it takes a moment */ }
});
Object.defineProperty(Deno, "args", { value: args });
const { main } = await import("../src/cli/main.ts");
const code = await main(args);
end();
if (file !== "-") Deno.writeTextFileSync(file, String(calls));
Deno.exit(code);
