/**
 * Deflate, Zstandard, CRC-32 and hashes of the host. A page takes `zlib_web.ts` in its place.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { Readable } from "node:stream";
// Zstandard by name: older releases of Node lack it, and must still load this file.
import zlib, { crc32 as hostCrc32, createGunzip, deflateSync, inflateSync } from "node:zlib";

/** CRC-32 as zlib and PNG compute it; `before` is that of the bytes before. */
export function crc32(bytes: Uint8Array, before: number = 0): number {
  return hostCrc32(bytes, before);
}

/**
 * Inflates a zlib stream; bytes after its end are ignored.
 *
 * @param most Bytes the result may have.
 * @returns The result, or undefined where the stream is damaged, ends early or gives more than `most` bytes.
 */
export function inflate(bytes: Uint8Array, most: number): Uint8Array | undefined {
  try {
    const { buffer, byteOffset, byteLength } = inflateSync(bytes, { maxOutputLength: Math.max(1, most) });
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch {
    return undefined;
  }
}

/**
 * Unpacks a Zstandard frame.
 *
 * @param most Bytes the result may have.
 * @returns The result, cut where the frame ends early, or undefined where it is damaged or gives more than `most` bytes.
 */
export function expandZstd(bytes: Uint8Array, most: number): Uint8Array | undefined {
  if (!zlib.zstdDecompressSync) {
    throw new Error("Cannot unpack Zstandard: it needs Node 22.15, 23.8 or Deno 2.6 or later");
  }
  try {
    const { buffer, byteOffset, byteLength } = zlib.zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, most) });
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch {
    return undefined;
  }
}

/** Deflates to a zlib stream, with more regard for time than for size. */
export function deflate(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = deflateSync(bytes, { level: 1 });
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/**
 * Unpacks gzip as it comes, of one member or several.
 *
 * @throws {Error} If it is damaged or ends early.
 */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unpacked = createGunzip();
  const source = Readable.from(chunks);
  source.on("error", (error) => unpacked.destroy(error));
  try {
    for await (const chunk of source.pipe(unpacked)) yield chunk as Uint8Array;
  } finally {
    source.destroy();
  }
}

/** SHA-256 of bytes that come in pieces. */
export class Sha256 {
  readonly #hash: ReturnType<typeof createHash> = createHash("sha256");

  /** Adds bytes. */
  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  /** The digest of what was added so far, in lower-case hexadecimal; more can be added. */
  hexSoFar(): string {
    return this.#hash.copy().digest("hex");
  }

  /** The digest in lower-case hexadecimal; the hash is used up. */
  hex(): string {
    return this.#hash.digest("hex");
  }
}

/** Starts a hash; its digest is in lower-case hexadecimal. */
export function startHash(algorithm: "sha1" | "sha256"): { update(bytes: Uint8Array): void; hex(): string } {
  const hash = createHash(algorithm);
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
}
