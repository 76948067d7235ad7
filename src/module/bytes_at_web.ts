/**
 * Bytes at an address: {@linkcode bytesAt} of a page.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";

/** All bytes of what lies at an address. @throws {DataError} If the server gives none. */
export async function bytesAt(address: string): Promise<Uint8Array> {
  const context = { file: address };
  let answer: Response;
  try {
    answer = await fetch(address);
  } catch (cause) {
    throw new DataError(`Cannot read ${address}: ${(cause as Error).message}`, { code: "file-access", context, cause });
  }
  if (answer.ok) return new Uint8Array(await answer.arrayBuffer());
  throw new DataError(`Cannot read ${address}: the server answered ${answer.status}`, {
    code: "file-missing",
    context,
  });
}
