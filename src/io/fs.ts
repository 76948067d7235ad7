/**
 * Files: the only module below the command line, with `zlib.ts`, that touches the host's file system.
 *
 * @module
 */

/** Writes a file so that it is there whole or not at all: under a temporary name first, then renamed. */
export function writeFileAtomic(path: string, data: Uint8Array | string): void {
  const temporary = `${path}.${Deno.pid}.tmp`;
  try {
    if (typeof data === "string") Deno.writeTextFileSync(temporary, data);
    else Deno.writeFileSync(temporary, data);
    Deno.renameSync(temporary, path);
  } catch (error) {
    try {
      Deno.removeSync(temporary);
    } catch { /* it was never made */ }
    throw error;
  }
}
