/**
 * A small generated classification task: striped 32 x 32 RGB images whose direction is the class, plus hashed noise.
 *
 * Everything is u32 arithmetic and a pure function of the step, so any language reproduces it byte for byte;
 * `tests/python/vit_train.py` states the formula and trains the same model on it.
 *
 * @module
 */

/** Images per step. */
export const STRIPES_BATCH = 16;
/** Height and width in pixels. */
export const STRIPES_SIZE = 32;
/** Number of classes. */
export const STRIPES_CLASSES = 10;

/** Stripe direction `[a, b]` of each class, modulo 32: 30 is -2, 28 is -4. */
const DIRECTIONS: readonly (readonly [number, number])[] = [
  [2, 0],
  [0, 2],
  [2, 2],
  [2, 30],
  [4, 2],
  [2, 4],
  [4, 30],
  [2, 28],
  [6, 0],
  [0, 6],
];
/** Contrast of the stripes in R, G and B. */
const TINT: readonly number[] = [10, 7, 4];

/** One batch: `images` u8 `[16, 32, 32, 3]`, `labels` u8 `[16]`. */
export interface StripesBatch {
  images: Uint8Array<ArrayBuffer>;
  labels: Uint8Array<ArrayBuffer>;
}

/** Hashes u32 to u32. */
export function mix(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x7feb352d);
  h ^= h >>> 15;
  h = Math.imul(h, 0x846ca68b);
  h ^= h >>> 16;
  return h >>> 0;
}

/** Returns the batch of one training step; a pure function of `step`. */
export function stripesBatch(step: number): StripesBatch {
  const images = new Uint8Array(STRIPES_BATCH * STRIPES_SIZE * STRIPES_SIZE * 3);
  const labels = new Uint8Array(STRIPES_BATCH);
  let at = 0;
  for (let i = 0; i < STRIPES_BATCH; i++) {
    const s = mix((step * STRIPES_BATCH + i + 0x9e3779b9) >>> 0);
    const label = ((s >>> 16) * STRIPES_CLASSES) >>> 16;
    const [a, b] = DIRECTIONS[label]!;
    labels[i] = label;
    for (let y = 0; y < STRIPES_SIZE; y++) {
      for (let x = 0; x < STRIPES_SIZE; x++) {
        const t = (a * x + b * y + (s & 7)) & 31;
        const stripe = t < 16 ? t : 31 - t;
        for (let k = 0; k < 3; k++) {
          const noise = mix((s + (y * STRIPES_SIZE + x) * 3 + k) >>> 0) & 63;
          images[at++] = 16 + stripe * TINT[k]! + noise;
        }
      }
    }
  }
  return { images, labels };
}
