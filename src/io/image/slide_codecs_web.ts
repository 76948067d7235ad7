/**
 * The file for pages has no decoders of JPEG 2000 and WebP: their packages name the host.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";

function missing(what: string): Promise<never> {
  return Promise.reject(
    new FormatError(`Cannot decode ${what} in a page: expected PNG, JPEG, or TIFF of those, LZW or deflate`, {
      hint: "Convert it to PNG, which loses nothing",
    }),
  );
}

/** Refuses. @throws {FormatError} Always. */
export function startOpenjpeg(_options: Record<string, unknown>): Promise<unknown> {
  return missing("JPEG 2000");
}

/** Refuses. @throws {FormatError} Always. */
export function startWebp(_options: Record<string, unknown>): Promise<unknown> {
  return missing("WebP");
}
