/**
 * WebP images, lossy and lossless: the only module that knows the package which decodes them (libwebp in WebAssembly). What
 * a file claims is checked before the package takes memory for it.
 *
 * Source: developers.google.com/speed/webp/docs/riff_container; RFC 6386 section 9.1 and RFC 9649 for sizes.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import type { RgbImage } from "./rgb_image.ts";
import { startWebp } from "./slide_codecs.ts";

interface Codec {
  decode(
    bytes: Uint8Array,
  ): { readonly width: number; readonly height: number; readonly data: Uint8ClampedArray } | null;
}

let codec: Codec | undefined;

/** Loads the package, once; again after a file broke it. Decoding needs it. */
export async function loadWebp(): Promise<void> {
  if (codec !== undefined) return;
  const quiet = (): void => {};
  codec = await startWebp({ noInitialRun: true, print: quiet, printErr: quiet }) as Codec;
}

function problem(name: string, offset: number, found: string, expected: string): FormatError {
  return new FormatError(`Cannot decode ${name} as WebP: byte ${offset} ${found}, expected ${expected}`, {
    context: { file: name, offset, found, expected },
  });
}

/** Pixels across and down by the header of the first chunk. */
function sizeOf(bytes: Uint8Array, name: string): { width: number; height: number } {
  const text = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 30 || text(0) !== "RIFF" || text(8) !== "WEBP") {
    throw problem(name, 0, "begins no WebP", "RIFF and WEBP");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u24 = (at: number) => view.getUint16(at, true) + (bytes[at + 2]! << 16);
  const kind = text(12);
  if (kind === "VP8X" && (bytes[20]! & 2) === 0) return { width: u24(24) + 1, height: u24(27) + 1 };
  if (kind === "VP8L" && bytes[20] === 0x2f) {
    const packed = view.getUint32(21, true);
    return { width: (packed & 0x3fff) + 1, height: (packed >> 14 & 0x3fff) + 1 };
  }
  if (kind === "VP8 " && u24(23) === 0x2a019d) {
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  }
  throw problem(name, 12, `begins ${JSON.stringify(kind)}`, "an image in VP8 or VP8L that does not move");
}

/**
 * Decodes an image; alpha is dropped. {@linkcode loadWebp} must have been awaited before.
 *
 * @param most Pixels it may claim.
 * @throws {FormatError} If it is damaged, ends early or is larger.
 */
export function decodeWebp(bytes: Uint8Array, name: string, most: number): RgbImage {
  const { width, height } = sizeOf(bytes, name);
  if (!(width >= 1 && height >= 1 && width * height <= most)) {
    throw problem(name, 20, `claims ${width}x${height} pixels`, `at most ${most}`);
  }
  const running = codec;
  if (running === undefined) throw new Error("Cannot decode WebP: its decoder is not loaded");
  let rgba;
  try {
    rgba = running.decode(bytes);
  } catch {
    // Whatever the package throws leaves it in a state nobody knows.
    codec = undefined;
  }
  if (!rgba || rgba.width !== width || rgba.height !== height) {
    throw problem(name, 12, "begins damaged data", "a whole image");
  }
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = rgba.data[from]!;
    data[to + 1] = rgba.data[from + 1]!;
    data[to + 2] = rgba.data[from + 2]!;
  }
  return { width, height, data };
}
