/**
 * The code of a slice's depth: sines and cosines of its distance from the spot's plane, in µm, so that models take stacks of
 * any spacing.
 *
 * code(z) = [sin(w_i z) | cos(w_i z)], w_i = 10000^(-i / (D / 2)), i < D / 2.
 *
 * @module
 */

/** Writes the code of a distance. @param out `[D]`. */
export function writeDepthCode(z: number, out: Float32Array): void {
  const half = Math.floor(out.length / 2);
  for (let i = 0; i < half; i++) {
    const phase = z * Math.pow(10000, -i / half);
    out[i] = Math.sin(phase);
    out[half + i] = Math.cos(phase);
  }
  // Of an odd width the last is nothing.
  if (2 * half < out.length) out[2 * half] = 0;
}
