/**
 * Chunks of a TIFF as numbers: integers of 8, 16 and 32 bits and floats, any number of samples, as microscopes write volumes.
 *
 * Source: TIFF 6.0, sections 14 and 19.
 *
 * @module
 */

import { readStored, rowsOf } from "./tiff_codecs.ts";
import { type Ifd, type Reading, TAG } from "./tiff_ifd.ts";
import { type FormatOf, isCoded, RECOMPRESS, type TiffLayout } from "./tiff_layout.ts";

/** Numbers of a chunk. */
export type TiffNumbers =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;

/** Sample formats: 1 unsigned, 2 signed, 3 float; and the types of their numbers by bits. */
const TYPES = {
  "1 8": ["u8", Uint8Array],
  "1 16": ["u16", Uint16Array],
  "1 32": ["u32", Uint32Array],
  "2 8": ["i8", Int8Array],
  "2 16": ["i16", Int16Array],
  "2 32": ["i32", Int32Array],
  "3 32": ["f32", Float32Array],
  "3 64": ["f64", Float64Array],
} as const;

/** What numbers a directory holds. */
export function tiffNumberType(ifd: Ifd): (typeof TYPES)[keyof typeof TYPES][0] | undefined {
  const type = typeOf(ifd);
  return type === undefined ? undefined : TYPES[type][0];
}

function typeOf(ifd: Ifd): keyof typeof TYPES | undefined {
  const kind = ifd.number(TAG.sampleFormat) ?? 1;
  const name = `${kind === 4 ? 1 : kind} ${ifd.number(TAG.bits) ?? 1}`;
  return Object.hasOwn(TYPES, name) ? name as keyof typeof TYPES : undefined;
}

/** What samples of a volume may be, for `tiffLayout`. */
export const voxelFormat: FormatOf = (ifd, samples, compression, said, fail) => {
  const bits = ifd.number(TAG.bits) ?? 1;
  const kinds = Array.from(ifd.list(TAG.sampleFormat) ?? []).slice(0, samples);
  const depths = Array.from(ifd.list(TAG.bits) ?? [1]).slice(0, samples);
  if (
    typeOf(ifd) === undefined ||
    [...depths, ...kinds].some((value, i, all) => value !== all[i < depths.length ? 0 : depths.length])
  ) {
    const found = `has ${depths.join(", ")} bits a sample of format ${kinds.join(", ") || 1}`;
    throw fail(TAG.bits, found, "integers of 8, 16 or 32 bits, or floats of 32 or 64");
  }
  const code = ifd.number(TAG.photometric) ?? 1;
  const photometric = said ?? ({ 0: "white is zero", 1: "black is zero", 2: "RGB", 6: "YCbCr" } as const)[code];
  if (photometric === undefined || photometric === "white is zero") {
    const found = `has photometric ${code}`;
    throw fail(TAG.photometric, found, "grey whose black is zero, or RGB", "Convert it to grey or RGB first");
  }
  if (photometric === "YCbCr" && !isCoded(compression)) {
    throw fail(TAG.photometric, `has YCbCr in compression ${compression}`, "YCbCr in JPEG", RECOMPRESS);
  }
  if (isCoded(compression) && bits !== 8) throw fail(TAG.bits, `has ${bits} bits in ${compression}`, "8", RECOMPRESS);
  if ((ifd.number(TAG.fillOrder) ?? 1) !== 1) throw fail(TAG.fillOrder, "has fill order 2", "1", RECOMPRESS);
  const predictor = ifd.number(TAG.predictor) ?? 1;
  const predicted = compression === "LZW" || compression === "Deflate" || compression === "ZSTD";
  if (predicted && predictor !== 1 && (predictor !== 2 || bits > 32 || kinds[0] === 3)) {
    throw fail(TAG.predictor, `has predictor ${predictor} for ${bits} bits`, "1, or 2 of integers", RECOMPRESS);
  }
  const planes = ifd.number(TAG.planar) ?? 1;
  if (planes !== 1 && planes !== 2) throw fail(TAG.planar, `has planar configuration ${planes}`, "1 or 2", RECOMPRESS);
  const planar = planes === 2 && samples > 1;
  return { bits, photometric, planar, differences: predicted && predictor === 2, extra: undefined };
};

/**
 * Reads chunk `index` as numbers `[rows, chunkWidth, samples]`; the last strip has fewer rows than `chunkHeight`.
 *
 * @param layout Made with {@linkcode voxelFormat}.
 * @throws {FormatError} If its data is damaged, ends early or lies outside of the file.
 */
export function* readVoxelChunk(layout: TiffLayout, index: number, name: string): Reading<TiffNumbers> {
  const { planar, samples, across, down, chunkWidth } = layout;
  if (!planar) return yield* readNumbers(layout, index, samples, name);
  const pixels = chunkWidth * rowsOf(layout, index);
  let all: TiffNumbers | undefined;
  for (let s = 0; s < samples; s++) {
    const plane = yield* readNumbers(layout, s * across * down + index, 1, name);
    all ??= new (TYPES[typeOf(layout.ifd)!][1])(pixels * samples);
    for (let i = 0, to = s; i < pixels; i++, to += samples) all[to] = plane[i]!;
  }
  return all!;
}

function* readNumbers(layout: TiffLayout, index: number, samples: number, name: string): Reading<TiffNumbers> {
  const raw = yield* readStored(layout, index, samples, name);
  const { chunkWidth, bits, ifd } = layout;
  const width = bits / 8;
  const row = chunkWidth * samples;
  const bytes = raw.slice(0, row * rowsOf(layout, index) * width) as Uint8Array<ArrayBuffer>;
  if (!ifd.little && width > 1) swapBytes(bytes, width);
  const numbers = new (TYPES[typeOf(ifd)!][1])(bytes.buffer);
  if (!layout.differences) return numbers;
  for (let from = 0; from < numbers.length; from += row) {
    // The type of the array wraps the sum around, as the writer's did.
    for (let i = from + samples; i < from + row; i++) numbers[i] = numbers[i]! + numbers[i - samples]!;
  }
  return numbers;
}

/** Turns the bytes of each number around, in place. */
export function swapBytes(bytes: Uint8Array, width: number): void {
  for (let from = 0; from + width <= bytes.length; from += width) {
    for (let low = from, high = from + width - 1; low < high; low++, high--) {
      const byte = bytes[low]!;
      bytes[low] = bytes[high]!;
      bytes[high] = byte;
    }
  }
}
