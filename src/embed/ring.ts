/**
 * How many embeddings are collected on the device before they are read back.
 *
 * @module
 */

/** Embeddings collected before they are read, about. */
const RING_ROWS = 256;

/** Embeddings collected before they are read: whole batches. */
export function ringRows(batchSize: number): number {
  return Math.max(batchSize, Math.floor(RING_ROWS / batchSize) * batchSize);
}
