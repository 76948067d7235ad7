/**
 * Gaussian blur: both axes by weights `exp(-d² / (2 sigma²))` to a distance of four sigma, divided by their sum, the image
 * mirrored at its border without repeating the last pixel.
 *
 * The same as `scipy.ndimage.gaussian_filter(mode="mirror")`.
 *
 * @module
 */

/** Sigmas at which the weights end. */
const TRUNCATE = 4;

/** Place within 0 .. size - 1 that a place outside is the mirror image of. */
function mirror(at: number, size: number): number {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const within = ((at % period) + period) % period;
  return Math.min(within, period - within);
}

/** Weights `[2 radius + 1]` of a sigma in pixels, whose sum is 1. */
export function blurWeights(sigma: number): Float64Array {
  const radius = Math.floor(TRUNCATE * sigma + 0.5);
  if (radius === 0) return Float64Array.of(1);
  const weights = Float64Array.from(
    { length: 2 * radius + 1 },
    (_, k) => Math.exp(-((k - radius) ** 2) / (2 * sigma * sigma)),
  );
  const total = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / total);
}

/**
 * Blurs a square image.
 *
 * @param rgb `[size, size, 3]`.
 * @param sigma Pixels, not negative.
 * @returns A new array.
 */
export function blur(rgb: Float32Array, size: number, sigma: number): Float32Array<ArrayBuffer> {
  const weights = blurWeights(sigma);
  const radius = weights.length >> 1;
  if (radius === 0) return Float32Array.from(rgb);
  const width = size * 3;
  const columns = new Float32Array(rgb.length);
  const out = new Float32Array(rgb.length);
  const sums = new Float64Array(width);
  const places = Array.from({ length: size }, (_, at) => Array.from(weights, (_, k) => mirror(at + k - radius, size)));
  for (let y = 0; y < size; y++) {
    sums.fill(0);
    for (const [k, from] of places[y]!.entries()) {
      const weight = weights[k]!;
      for (let i = 0; i < width; i++) sums[i]! += weight * rgb[from * width + i]!;
    }
    columns.set(sums, y * width);
  }
  for (let x = 0; x < size; x++) {
    for (const [k, from] of places[x]!.entries()) {
      const weight = weights[k]!;
      for (let y = 0; y < size; y++) {
        const [to, at] = [(y * size + x) * 3, (y * size + from) * 3];
        for (let c = 0; c < 3; c++) out[to + c]! += weight * columns[at + c]!;
      }
    }
  }
  return out;
}
