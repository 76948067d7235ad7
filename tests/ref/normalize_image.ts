/** (x / 255 - mean) / std by channel, in float64; the last dimension is the channel. */
export function normalizeImageRef(x: Float64Array, mean: readonly number[], std: readonly number[]): Float64Array {
  return x.map((value, i) => (value / 255 - mean[i % 3]!) / std[i % 3]!);
}
