/** Discrepancy in float64, pair by pair. */
export function mmdRef(y: Float64Array, x: Float64Array, G: number): Float64Array {
  const B = y.length / G;
  const kernel = (p: Float64Array, i: number, q: Float64Array, j: number) => {
    let d = 0;
    for (let b = 0; b < B; b++) d += (p[i * B + b]! - q[j * B + b]!) ** 2;
    return [10, 15, 20, 50].reduce((sum, a) => sum + Math.exp(-d / (2 * a)), 0);
  };
  let sum = 0;
  for (let i = 0; i < G; i++) {
    for (let j = 0; j < G; j++) sum += kernel(y, i, y, j) + kernel(x, i, x, j) - 2 * kernel(y, i, x, j);
  }
  return Float64Array.of(sum / (G * G));
}
