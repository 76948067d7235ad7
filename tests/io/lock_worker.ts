/**
 * A process that tries to lock: `lock_worker.ts folder|file PATH [HOLD_MS]`. Says `have` or the error, holds as long as told or
 * until its input ends, and lets go.
 */

import { lockFile, lockFolder } from "../../src/io/lock.ts";

const [kind, path, start] = Deno.args as [string, string, string | undefined];
// All start together.
if (start !== undefined) { while (Date.now() < Number(start)) { /* a moment */ } }
try {
  using _ = kind === "file" ? lockFile(path, "test") : lockFolder(path, "test");
  console.log("have");
  await Deno.stdin.read(new Uint8Array(1));
} catch (error) {
  const { name, message, exitCode } = error as Error & { exitCode?: number };
  console.log(JSON.stringify({ name, message, exitCode }));
}
