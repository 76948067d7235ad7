/**
 * Calls that change the file system, watched: what a process had done when it died is a number of them.
 *
 * @module
 */

type Names = "renameSync" | "rename" | "removeSync" | "remove" | "mkdirSync" | "linkSync" | "symlink" | "symlinkSync";
const NAMES: readonly Names[] = [
  "renameSync",
  "rename",
  "removeSync",
  "remove",
  "mkdirSync",
  "linkSync",
  "symlink",
  "symlinkSync",
];
type Open = (path: string, options?: Deno.OpenOptions) => unknown;
type Method = (this: Deno.FsFile, ...given: unknown[]) => unknown;

/**
 * Watches the calls.
 *
 * @param before Told of each before it is made; `tear` writes half of what is to be written, if it is a write.
 * @returns Ends the watch.
 */
export function watchFileCalls(before: (tear: () => void) => void): () => void {
  const undo: (() => void)[] = [];
  function replace(on: object, name: string, value: unknown): void {
    const was = Object.getOwnPropertyDescriptor(on, name)!;
    undo.push(() => Object.defineProperty(on, name, was));
    Object.defineProperty(on, name, { ...was, value });
  }
  for (const name of NAMES) {
    const call = Deno[name] as (...given: unknown[]) => unknown;
    replace(Deno, name, (...given: unknown[]) => {
      before(() => {});
      return call(...given);
    });
  }
  for (const name of ["openSync", "open"] as const) {
    const call = Deno[name] as Open;
    replace(Deno, name, (path: string, options: Deno.OpenOptions = { read: true }) => {
      if (options.create || options.createNew || options.truncate) before(() => {});
      return call(path, options);
    });
  }
  const proto = Deno.FsFile.prototype as unknown as Record<string, Method>;
  const writeSync = proto.writeSync!;
  for (const name of ["writeSync", "write", "truncateSync", "syncSync"]) {
    const call = proto[name]!;
    replace(proto, name, function (this: Deno.FsFile, ...given: unknown[]) {
      const [bytes] = given;
      before(() => {
        if (bytes instanceof Uint8Array) writeSync.call(this, bytes.subarray(0, bytes.length >> 1));
      });
      return call.apply(this, given);
    });
  }
  return () => undo.splice(0).reverse().forEach((put) => put());
}
