/**
 * A decoded image, as encoders take it, and how large one may be.
 *
 * Limits are for a small machine of 4 GB, on which other things run too, and are compared with what a file's header says
 * before memory is taken: a few kilobytes can claim gigabytes.
 *
 * @module
 */

/** Most pixels an image may claim: the limit at which PIL refuses it as a decompression bomb. */
export const MAX_PIXELS = 178_956_970;
/**
 * Most bytes of an image that is decoded whole, 256 MiB: 9,459 pixels square of RGB. With all that is needed on the way
 * (samples of 16 bits, coefficients, alpha) about four times that.
 */
export const MAX_DECODED = 2 ** 28;
/** Most pixels a side of a slide: 13 cm at 0.25 µm. */
export const MAX_SIDE = 2 ** 19;
/** Most bytes of one tile or strip of a slide, as stored and decoded. */
export const MAX_CHUNK = 2 ** 28;
/** Most bytes of the samples of a flat image used as a slide, of which bands are shown: 20,000 pixels square of RGB. */
export const MAX_FLAT = 1_200_000_000;

/** RGB bytes, row by row. */
export interface RgbImage {
  /** Pixels across. */
  readonly width: number;
  /** Pixels down. */
  readonly height: number;
  /** `[height, width, 3]`. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** How large an image may be, and what helps where one is larger. */
export interface ImageLimit {
  /** Most bytes of its pixels. */
  readonly bytes: number;
  /** What the limit is for. */
  readonly of: string;
  /** What helps. */
  readonly hint: string;
}

/** Of images decoded whole. */
export const WHOLE: ImageLimit = {
  bytes: MAX_DECODED,
  of: "an image that is decoded whole",
  hint: "Cut it into tiles: vips dzsave IN TILES --depth one --tile-size 224 --overlap 0 --suffix .png",
};
/** Of tiles that are embedded so many at a time, on a device that takes `deviceBytes` in one piece. */
export function tileLimit(deviceBytes: number, batchSize: number): ImageLimit {
  return {
    bytes: Math.floor(Math.min(deviceBytes, 2 * MAX_DECODED) / batchSize),
    of: `a tile of ${batchSize} at a time`,
    hint: `Cut it into tiles: vips dzsave IN TILES --depth one --tile-size 224 --overlap 0 --suffix .png${
      batchSize > 1 ? ", or pass a smaller --batch-size" : ""
    }; expression over a whole slide: deno task predict --run RUN --slide FILE`,
  };
}
/** Of flat images that are read as slides. */
export const FLAT: ImageLimit = {
  bytes: MAX_FLAT,
  of: "the samples of a flat image",
  hint: "Convert it: vips tiffsave IN OUT.tif --tile --pyramid --compression deflate --bigtiff",
};

/** What is wrong with a size a header claims; undefined where nothing is. */
export function overLimit(
  { width, height, bytes }: { readonly width: number; readonly height: number; readonly bytes: number },
  limit: ImageLimit,
): { readonly found: string; readonly expected: string } | undefined {
  if (bytes <= limit.bytes) return undefined;
  return {
    found: `claims ${width}x${height} pixels, ${bytes} bytes`,
    expected: `at most ${limit.bytes} bytes for ${limit.of}`,
  };
}
