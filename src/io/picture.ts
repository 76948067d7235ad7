/**
 * A decoded picture, as encoders take it.
 *
 * @module
 */

/** Most pixels a picture may claim: the limit at which PIL refuses it as a decompression bomb. */
export const MAX_PIXELS = 178_956_970;

/** RGB bytes, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** `[height, width, 3]`. */
  readonly data: Uint8Array<ArrayBuffer>;
}
