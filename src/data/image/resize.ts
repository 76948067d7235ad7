/**
 * Squares made larger or smaller as OpenCV's `resize` does.
 *
 * Source: `resize` of github.com/opencv/opencv, whose 8-bit path rounds weights to 11 bits: results agree to a grey level.
 *
 * @module
 */

/** Weights of the pixels around a place: the first is `floor(place) + first`. */
type Kernel = { readonly first: number; weights(fraction: number): number[] };

const KERNELS: Readonly<Record<"linear" | "cubic", Kernel>> = {
  linear: { first: 0, weights: (t) => [1 - t, t] },
  // OpenCV's bicubic, a = -0.75.
  cubic: {
    first: -1,
    weights(t) {
      const a = -0.75;
      const far = (d: number) => a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a;
      const near = (d: number) => (a + 2) * d * d * d - (a + 3) * d * d + 1;
      return [far(1 + t), near(t), near(1 - t), far(2 - t)];
    },
  },
};

/**
 * Resizes a square: half-pixel centres, no antialias, edges repeated.
 *
 * @param rgb `[from, from, 3]`; returned itself where nothing changes.
 * @returns `[to, to, 3]`.
 */
export function resizeSquare(rgb: Uint8Array, from: number, to: number, kernel: keyof typeof KERNELS): Uint8Array {
  if (from === to) return rgb;
  const { first, weights } = KERNELS[kernel];
  const taps = Array.from({ length: to }, (_, i) => {
    const place = (i + 0.5) * from / to - 0.5;
    const base = Math.floor(place);
    return weights(place - base).map((weight, k) => ({
      weight,
      at: Math.min(Math.max(base + first + k, 0), from - 1),
    }));
  });
  const rows = new Float64Array(from * to * 3);
  for (let y = 0; y < from; y++) {
    for (const [x, around] of taps.entries()) {
      for (const { weight, at } of around) {
        for (let c = 0; c < 3; c++) rows[(y * to + x) * 3 + c]! += weight * rgb[(y * from + at) * 3 + c]!;
      }
    }
  }
  const out = new Uint8ClampedArray(to * to * 3);
  const sum = new Float64Array(to * 3);
  for (const [y, around] of taps.entries()) {
    sum.fill(0);
    for (const { weight, at } of around) {
      for (let i = 0; i < to * 3; i++) sum[i]! += weight * rows[at * to * 3 + i]!;
    }
    out.set(sum, y * to * 3);
  }
  return new Uint8Array(out.buffer);
}
