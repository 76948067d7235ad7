/**
 * Cost of an op, from its shapes: what benches divide time by.
 *
 * @module
 */

/** Work of one call. */
export interface Cost {
  /** Floating-point operations; a multiply-add counts two. */
  readonly flops: number;
  /** Bytes that must cross memory once: inputs read, outputs written. */
  readonly bytes: number;
}
