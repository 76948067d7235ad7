/**
 * What a TIFF directory says about its pixels: size, chunks (tiles or strips), sample format, compression.
 *
 * @module
 */

import type { FormatError } from "../../core/errors.ts";
import { type Ifd, TAG, tiffError } from "./tiff_ifd.ts";

/** Pixels of a directory and how they are stored. Tiles and strips are both called chunks. */
export interface TiffLayout {
  readonly ifd: Ifd;
  readonly width: number;
  readonly height: number;
  /** Chunk size; strips are as wide as the image. */
  readonly chunkWidth: number;
  readonly chunkHeight: number;
  readonly tiled: boolean;
  /** Chunks in a row and in a column. */
  readonly across: number;
  readonly down: number;
  /** Bits of a sample: 1, 2, 4, 8 or 16; of voxels also 32 and 64. */
  readonly bits: number;
  readonly samples: number;
  /** Whether each sample has chunks of its own. */
  readonly planar: boolean;
  readonly photometric: Photometric;
  readonly compression: Compression;
  /** Whether samples are differences to the pixel on the left. */
  readonly differences: boolean;
  /** ExtraSamples of the first sample beyond the colours: 1 is alpha the colours are multiplied by. */
  readonly extra: number | undefined;
  /** Offset and length of each chunk. */
  readonly offsets: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
}

/** What samples mean. */
export type Photometric = "white is zero" | "black is zero" | "RGB" | "palette" | "CMYK" | "YCbCr";
/** Compressions that are read. */
export type Compression = "none" | "LZW" | "JPEG" | "Deflate" | "PackBits" | "ZSTD" | "WebP" | "JPEG 2000";

const PHOTOMETRICS: Readonly<Record<number, Photometric>> = {
  0: "white is zero",
  1: "black is zero",
  2: "RGB",
  3: "palette",
  5: "CMYK",
  6: "YCbCr",
};
/** Samples of a pixel that are colour. */
const COLOURS: Readonly<Record<Photometric, number>> = {
  "white is zero": 1,
  "black is zero": 1,
  RGB: 3,
  palette: 1,
  CMYK: 4,
  YCbCr: 3,
};
const COMPRESSIONS: Readonly<Record<number, Compression>> = {
  1: "none",
  5: "LZW",
  7: "JPEG",
  8: "Deflate",
  32773: "PackBits",
  32946: "Deflate",
  33003: "JPEG 2000",
  33005: "JPEG 2000",
  34712: "JPEG 2000",
  34926: "ZSTD",
  34927: "WebP",
  50000: "ZSTD",
  50001: "WebP",
};
/** What samples are where the compression says it, whatever the tag does: Aperio's two kinds of JPEG 2000. */
const SAID_BY_COMPRESSION: Readonly<Record<number, Photometric>> = { 33003: "YCbCr", 33005: "RGB" };
const REFUSED: Readonly<Record<number, string>> = {
  2: "CCITT",
  3: "CCITT fax 3",
  4: "CCITT fax 4",
  6: "old-style JPEG",
  22610: "JPEG XR",
  33004: "JPEG 2000 of number 33004",
  34661: "JBIG",
  34887: "LERC",
  34892: "lossy JPEG of DNG",
  34925: "LZMA",
  34933: "PNG",
  34934: "JPEG XR",
  50002: "JPEG XL",
  52546: "JPEG XL of DNG",
};

/** Whether chunks are images in a format of their own, and not samples one after the other. */
export function isCoded(compression: Compression): boolean {
  return compression === "JPEG" || compression === "JPEG 2000" || compression === "WebP";
}

/** Bytes of a piece of a strip that has no compression. */
const PIECE = 1 << 22;

/** What mends a compression that is not read. */
export const RECOMPRESS =
  "Convert it (libvips with OpenSlide): vips tiffsave IN OUT.tif --tile --pyramid --compression deflate --bigtiff";

/**
 * Reads and checks the layout of a directory.
 *
 * @param formatOf What samples may be: by default those of images that are shown.
 * @throws {FormatError} Of what is damaged, contradictory or not read, by its name.
 */
export function tiffLayout(ifd: Ifd, name: string, formatOf: FormatOf = sampleFormat): TiffLayout {
  const fail = (tag: number, found: string, expected: string, hint?: string): FormatError =>
    tiffError(name, ifd.place(tag), found, expected, hint);
  const whole = (tag: number, what: string, fallback?: number): number => {
    const value = ifd.number(tag) ?? fallback ?? 0;
    if (value >= 1 && value < 2 ** 32 && Number.isInteger(value)) return value;
    throw fail(tag, `has ${what} ${ifd.has(tag) ? value : "missing"}`, "a whole number of at least 1");
  };
  const width = whole(TAG.width, "width");
  const height = whole(TAG.height, "height");
  const samples = whole(TAG.samples, "samples per pixel", 1);
  const tiled = ifd.has(TAG.tileWidth);
  const chunkWidth = tiled ? whole(TAG.tileWidth, "tile width") : width;
  const chunkHeight = tiled
    ? whole(TAG.tileHeight, "tile height")
    : Math.min(height, whole(TAG.rowsPerStrip, "rows per strip", height));
  const across = Math.ceil(width / chunkWidth);
  const down = Math.ceil(height / chunkHeight);
  const code = ifd.number(TAG.compression) ?? 1;
  const compression = COMPRESSIONS[code];
  if (compression === undefined) {
    const refused = REFUSED[code] ?? `number ${code}`;
    throw fail(
      TAG.compression,
      `has compression ${refused}`,
      "none, LZW, Deflate, ZSTD, JPEG, JPEG 2000, WebP or PackBits",
      RECOMPRESS,
    );
  }
  const format = formatOf(ifd, samples, compression, SAID_BY_COMPRESSION[code], fail);
  const planes = format.planar ? samples : 1;
  const [offsetTag, lengthTag] = tiled ? [TAG.tileOffsets, TAG.tileBytes] : [TAG.stripOffsets, TAG.stripBytes];
  const [offsets, lengths] = [ifd.list(offsetTag) ?? [], ifd.list(lengthTag) ?? []];
  for (const [tag, list] of [[offsetTag, offsets], [lengthTag, lengths]] as const) {
    if (list.length < across * down * planes) {
      throw fail(tag, `has ${list.length} values of tag ${tag}`, `${across * down * planes}, one a chunk`);
    }
  }
  return divided({
    ifd,
    width,
    height,
    chunkWidth,
    chunkHeight,
    tiled,
    across,
    down,
    samples,
    compression,
    offsets,
    lengths,
    ...format,
  });
}

/** An image in one strip without compression, as many programs write it, is read in pieces like one of several strips. */
function divided(layout: TiffLayout): TiffLayout {
  const { width, height, samples, bits, tiled, planar, compression, down, offsets, lengths } = layout;
  const row = Math.ceil(width * samples * bits / 8);
  const rows = Math.max(1, Math.floor(PIECE / row));
  if (tiled || planar || compression !== "none" || down > 1 || rows >= height || lengths[0]! < row * height) {
    return layout;
  }
  const pieces = Math.ceil(height / rows);
  return {
    ...layout,
    chunkHeight: rows,
    down: pieces,
    offsets: Float64Array.from({ length: pieces }, (_, i) => offsets[0]! + i * rows * row),
    lengths: Float64Array.from({ length: pieces }, (_, i) => Math.min(rows, height - i * rows) * row),
  };
}

type Fail = (tag: number, found: string, expected: string, hint?: string) => FormatError;
type Format = Pick<TiffLayout, "bits" | "photometric" | "planar" | "differences" | "extra">;
/** Reads what a sample is, or refuses it. */
export type FormatOf = (
  ifd: Ifd,
  samples: number,
  compression: Compression,
  said: Photometric | undefined,
  fail: Fail,
) => Format;

/** What a sample is, and whether this reader takes it. */
function sampleFormat(
  ifd: Ifd,
  samples: number,
  compression: Compression,
  said: Photometric | undefined,
  fail: Fail,
): Format {
  const depths = Array.from(ifd.list(TAG.bits) ?? [1]).slice(0, Math.min(samples, 8));
  const bits = depths[0] ?? 1;
  const code = ifd.number(TAG.photometric);
  // Readers differ in what they assume where the tag is missing: PIL shows a negative, libtiff a positive.
  const photometric = said ?? PHOTOMETRICS[code ?? -1];
  if (photometric === undefined) {
    throw fail(
      TAG.photometric,
      `has ${code === undefined ? "no photometric" : `photometric ${code}`}`,
      "grey, RGB, palette, CMYK or YCbCr",
      RECOMPRESS,
    );
  }
  const colours = COLOURS[photometric];
  const extras = samples - colours;
  if (extras < 0 || extras > (photometric === "YCbCr" || photometric === "CMYK" ? 0 : 1)) {
    throw fail(TAG.samples, `has ${samples} samples of ${photometric}`, `${colours}, or with alpha one more`);
  }
  const coded = isCoded(compression);
  const wide = bits === 8 || (bits === 16 && photometric !== "palette" && !coded);
  const narrow = [1, 2, 4].includes(bits) && samples === 1 && colours === 1 && !coded;
  if (!(wide || narrow) || depths.some((depth) => depth !== bits)) {
    throw fail(TAG.bits, `has ${depths.join(", ")} bits a sample of ${photometric}`, "8 or 16, or 1, 2, 4 of grey");
  }
  const kinds = Array.from(ifd.list(TAG.sampleFormat) ?? []).slice(0, samples);
  if (kinds.some((kind) => kind !== 1 && kind !== 4)) {
    throw fail(TAG.sampleFormat, `has sample format ${kinds.join(", ")}`, "1, unsigned integers");
  }
  if (photometric === "YCbCr" && compression !== "JPEG" && said === undefined) {
    const expected = "YCbCr in JPEG, or in JPEG 2000 of number 33003";
    throw fail(TAG.photometric, `has YCbCr in compression ${compression}`, expected, RECOMPRESS);
  }
  if (compression === "WebP" && (photometric !== "RGB" || samples !== 3)) {
    throw fail(TAG.photometric, `has ${samples} samples of ${photometric} in WebP`, "3 of RGB", RECOMPRESS);
  }
  if ((ifd.number(TAG.fillOrder) ?? 1) !== 1) throw fail(TAG.fillOrder, "has fill order 2", "1", RECOMPRESS);
  const predictor = ifd.number(TAG.predictor) ?? 1;
  const predicted = compression === "LZW" || compression === "Deflate" || compression === "ZSTD";
  if (predicted && predictor !== 1 && (predictor !== 2 || bits < 8)) {
    throw fail(TAG.predictor, `has predictor ${predictor} for ${bits} bits`, "1, or 2 for 8 or 16 bits", RECOMPRESS);
  }
  const planes = ifd.number(TAG.planar) ?? 1;
  const planar = planes === 2 && samples > 1;
  if ((planes !== 1 && planes !== 2) || (planar && coded)) {
    const expected = coded ? `1 in ${compression}` : "1 or 2";
    throw fail(TAG.planar, `has planar configuration ${planes}`, expected, RECOMPRESS);
  }
  const extra = extras > 0 ? ifd.number(TAG.extraSamples) ?? 2 : undefined;
  return { bits, photometric, planar, differences: predicted && predictor === 2, extra };
}
