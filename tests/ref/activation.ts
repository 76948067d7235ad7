/** Elementwise functions in float64, from their definitions. */

/** Complementary error function: power series near 0, continued fraction beyond. */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2.5) {
    let term = x;
    let total = x;
    for (let n = 1; n < 60; n++) {
      term *= -x * x / n;
      total += term / (2 * n + 1);
    }
    return 1 - 2 / Math.sqrt(Math.PI) * total;
  }
  let fraction = x;
  for (let n = 80; n > 0; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}

const functions = {
  gelu: (x: number) => x * erfc(-x / Math.SQRT2) / 2,
  silu: (x: number) => x / (1 + Math.exp(-x)),
  relu: (x: number) => Math.max(x, 0),
  tanh: Math.tanh,
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  softplus: (x: number) => (x > 20 ? x : Math.log1p(Math.exp(x))),
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  square: (x: number) => x * x,
  abs: Math.abs,
  leaky_relu: (x: number, slope: number) => (x > 0 ? x : slope * x),
  clamp: (x: number, lo: number, hi: number) => Math.min(Math.max(x, lo), hi),
};

/** Applies a function to every element. */
export function activationRef(f: keyof typeof functions, x: Float64Array, a = 0, b = 0): Float64Array {
  return x.map((value) => functions[f](value, a, b));
}
