/**
 * Bytes at a path. A page takes `bytes_at_web.ts` in its place.
 *
 * @module
 */

/** All bytes of a file. @throws {DataError} If it is not there, or cannot be read. */
export async function bytesAt(path: string): Promise<Uint8Array> {
  const { readFile } = await import("../io/fs.ts");
  return readFile(path);
}
