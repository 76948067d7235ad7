/**
 * JPEG 2000 codestreams, with and without boxes around them: the only module that knows the package which decodes them
 * (OpenJPEG in WebAssembly). What a codestream claims is checked before the package takes memory for it.
 *
 * Source: ITU-T T.800 annexes A and I; T.814 (HTJ2K) for what is refused.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import { startOpenjpeg } from "./slide_codecs.ts";

/** What the header of a codestream says. */
export interface Jpeg2000Header {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** Bits of a sample, of the deepest component. */
  readonly bits: number;
}

/** Samples of a codestream, interleaved. */
export interface Jpeg2000Samples extends Jpeg2000Header {
  readonly data: Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
  /** Whether chroma was stored with fewer samples: the data is RGB then, else as it was stored. */
  readonly converted: boolean;
}

/** About how many pixels a core decodes in a second, for those who wait for it. */
export const JPEG2000_RATE = 3e6;

/** Most pixels of one codestream: the package takes about twenty bytes for each. */
const MOST_PIXELS = 1 << 24;
/** Tiles a codestream may be cut into, components it may have, and bytes before a codestream in boxes. */
const MOST_TILES = 4096;
const MOST_COMPONENTS = 4;
const MOST_BOXES = 1 << 16;
/** Bytes of the package's memory beyond which it is started anew: it never gives any back. */
const MOST_MEMORY = 1 << 28;

interface Decoder {
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number; isSigned: boolean };
  getColorSpace(): number;
  delete(): void;
}

interface Codec {
  readonly J2KDecoder: new () => Decoder;
  readonly HEAPU8: Uint8Array;
}

/** OpenJPEG's number of colours in luma and chroma, which the package turns into RGB. */
const SYCC = 1;

let codec: Codec | undefined;
/** What the package complained of while it decoded. */
const complaints: string[] = [];

/** Loads the package, once; again after a codestream broke it. Decoding needs it. */
export async function loadJpeg2000(): Promise<void> {
  if (codec !== undefined) return;
  const hear = (line: string): void => void (/error/i.test(line) && complaints.push(line.trim()));
  codec = await startOpenjpeg({ print: hear, printErr: hear }) as Codec;
}

function problem(name: string, offset: number, found: string, expected: string, hint?: string): FormatError {
  return new FormatError(`Cannot decode ${name} as JPEG 2000: byte ${offset} ${found}, expected ${expected}`, {
    ...(hint !== undefined && { hint }),
    context: { file: name, offset, found, expected },
  });
}

/** Where the codestream begins: at once, or in a box. */
function codestreamAt(bytes: Uint8Array, name: string): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begins = (at: number) => at + 4 <= bytes.length && view.getUint32(at) === 0xff4fff51;
  if (begins(0)) return 0;
  if (bytes.length < 12 || view.getUint32(4) !== 0x6a502020) {
    throw problem(name, 0, "begins something else", "a codestream (ff 4f ff 51) or JP2 boxes");
  }
  for (let at = 0; at + 8 <= Math.min(bytes.length, MOST_BOXES);) {
    const [length, kind] = [view.getUint32(at), view.getUint32(at + 4)];
    const head = length === 1 ? 16 : 8;
    if (kind === 0x6a703263 && begins(at + head)) return at + head;
    if (length < 8) break;
    at += length;
  }
  throw problem(name, 0, "begins JP2 boxes without a codestream", `one within ${MOST_BOXES} bytes`);
}

/**
 * Reads the header of a codestream and checks what decoding would believe.
 *
 * @param bytes At least its first kilobyte.
 * @throws {FormatError} If it is damaged, too large or HTJ2K, which is not read.
 */
export function readJpeg2000Header(bytes: Uint8Array, name: string): Jpeg2000Header {
  const at = codestreamAt(bytes, name);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (offset: number) => view.getUint32(at + 8 + offset);
  const size = at + 6 <= bytes.length ? view.getUint16(at + 4) : 0;
  const components = at + 42 <= bytes.length ? view.getUint16(at + 40) : 0;
  if (size < 41 || size !== 38 + 3 * components || at + 4 + size > bytes.length) {
    throw problem(name, at + 4, `begins a header of ${size} bytes, ${components} components`, "38 and 3 a component");
  }
  const [x1, y1, x0, y0, tileWidth, tileHeight, tileX, tileY] = [0, 4, 8, 12, 16, 20, 24, 28].map(u32) as [
    ...[number, number, number, number],
    ...[number, number, number, number],
  ];
  const [width, height] = [x1 - x0, y1 - y0];
  const tiles = Math.ceil((x1 - tileX) / tileWidth) * Math.ceil((y1 - tileY) / tileHeight);
  if (!(width >= 1 && height >= 1 && width * height <= MOST_PIXELS && components <= MOST_COMPONENTS)) {
    const found = `claims ${width}x${height} pixels, ${components} components`;
    throw problem(name, at + 8, found, `at most ${MOST_PIXELS} pixels and ${MOST_COMPONENTS} components`);
  }
  if (!(tiles >= 1 && tiles <= MOST_TILES)) throw problem(name, at + 24, `claims ${tiles} tiles`, `1 to ${MOST_TILES}`);
  let bits = 0;
  for (let c = 0; c < components; c++) {
    const [depth, across, down] = [0, 1, 2].map((i) => bytes[at + 42 + 3 * c + i]!) as [number, number, number];
    if ((depth & 0x80) !== 0 || (depth & 0x7f) > 15 || !(across >= 1 && across <= 4 && down >= 1 && down <= 4)) {
      const found = `has samples of ${(depth & 0x7f) + 1} bits${
        depth & 0x80 ? ", signed" : ""
      }, every ${across}, ${down}`;
      throw problem(name, at + 42 + 3 * c, found, "1 to 16 bits, unsigned, one in four pixels at least");
    }
    bits = Math.max(bits, (depth & 0x7f) + 1);
  }
  refuseHighThroughput(view, at + 4 + size, name);
  return { width, height, components, bits };
}

/** HTJ2K has a capability of part 15, in a marker right behind the sizes. */
function refuseHighThroughput(view: DataView, at: number, name: string): void {
  if (at + 8 > view.byteLength || view.getUint16(at) !== 0xff50 || (view.getUint32(at + 4) & (1 << 17)) === 0) return;
  throw problem(
    name,
    at,
    "says that it is HTJ2K (high-throughput JPEG 2000, part 15)",
    "JPEG 2000 of part 1",
    "Write it in JPEG 2000 of part 1, or without loss: opj_decompress -i IN.j2k -o OUT.png (OpenJPEG 2.5 or later)",
  );
}

/**
 * Decodes a codestream. {@linkcode loadJpeg2000} must have been awaited before.
 *
 * @param name Name of the file for error messages.
 * @returns Samples of 8 bits for up to 8 bits, else of 16.
 * @throws {FormatError} If it is damaged, ends early, or is of a kind not read here.
 */
export function decodeJpeg2000(bytes: Uint8Array, name: string): Jpeg2000Samples {
  const header = readJpeg2000Header(bytes, name);
  const running = codec;
  if (running === undefined) throw new Error("Cannot decode JPEG 2000: its decoder is not loaded");
  complaints.length = 0;
  let found = "is damaged";
  try {
    const decoder = new running.J2KDecoder();
    try {
      decoder.getEncodedBuffer(bytes.length).set(bytes);
      decoder.decode();
      const samples = samplesOf(decoder, header);
      if (complaints.length === 0 && samples !== undefined) return samples;
      found = complaints[0] ?? "gives other pixels than its header claims";
    } finally {
      decoder.delete();
      if (running.HEAPU8.length > MOST_MEMORY) codec = undefined;
    }
  } catch (cause) {
    // Whatever the package throws leaves it in a state nobody knows.
    codec = undefined;
    found = (cause as Error).message ?? String(cause);
  }
  throw problem(name, 0, `begins a damaged codestream (${found.replace(/^\[ERROR\] /, "")})`, "a whole one");
}

function samplesOf(decoder: Decoder, header: Jpeg2000Header): Jpeg2000Samples | undefined {
  const { width, height, componentCount: components, bitsPerSample: bits } = decoder.getFrameInfo();
  const buffer = decoder.getDecodedBuffer();
  const count = width * height * components;
  if (width !== header.width || height !== header.height || components !== header.components) return undefined;
  if (buffer.length !== count * (bits > 8 ? 2 : 1)) return undefined;
  const own = buffer.slice();
  return {
    ...{ width, height, components, bits },
    data: bits > 8 ? new Uint16Array(own.buffer) : own,
    converted: decoder.getColorSpace() === SYCC,
  };
}
