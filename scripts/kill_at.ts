/**
 * Runs the command line and ends it with SIGKILL at its Nth call that changes the file system: before the call, or, for a
 * write, after half of its bytes. `FILE` gets the number of such calls when the command ends by itself; `-` is none.
 *
 * deno run -A scripts/kill_at.ts N|never FILE ARGUMENTS OF main.ts
 *
 * @module
 */

const [at, file, ...args] = Deno.args as [string, string, ...string[]];
const fatal = at === "never" ? Infinity : Number(at);
let calls = 0;

/** Counts a call; ends the process when it is the one. */
function count(half?: () => void): void {
  if (++calls !== fatal) return;
  half?.();
  Deno.kill(Deno.pid, "SIGKILL");
  while (true) { /* it takes a moment */ }
}

type Names = "renameSync" | "rename" | "removeSync" | "remove" | "mkdirSync" | "linkSync" | "symlink";

for (const name of ["renameSync", "rename", "removeSync", "remove", "mkdirSync", "linkSync", "symlink"] as Names[]) {
  const call = Deno[name] as (...given: unknown[]) => unknown;
  Object.defineProperty(Deno, name, {
    value: (...given: unknown[]) => {
      count();
      return call(...given);
    },
  });
}

const openAsBefore = Deno.openSync;
const open = (path: string) => openAsBefore(path, { write: true, create: true, truncate: true });

type Open = (path: string, options?: Deno.OpenOptions) => unknown;
for (const name of ["openSync", "open"] as const) {
  const call = Deno[name] as Open;
  Object.defineProperty(Deno, name, {
    value: (path: string, options: Deno.OpenOptions = { read: true }) => {
      if (options.create || options.createNew || options.truncate) count();
      return call(path, options);
    },
  });
}

type Method = (this: Deno.FsFile, ...given: unknown[]) => unknown;
const proto = Deno.FsFile.prototype as unknown as Record<string, Method>;
const writeSync = proto.writeSync!;
for (const name of ["writeSync", "write", "truncateSync", "syncSync"]) {
  const call = proto[name]!;
  proto[name] = function (...given) {
    const [bytes] = given;
    count(() => {
      if (bytes instanceof Uint8Array) writeSync.call(this, bytes.subarray(0, bytes.length >> 1));
    });
    return call.apply(this, given);
  };
}

Object.defineProperty(Deno, "args", { value: args });
const { main } = await import("../src/cli/main.ts");
const code = await main(args);
// Written by the call itself, not by the counted one.
if (file !== "-") writeSync.call(open(file), new TextEncoder().encode(String(calls)));
Deno.exit(code);
