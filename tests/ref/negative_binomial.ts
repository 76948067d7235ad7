/** Mean negative log-likelihood of the negative binomial in float64, without log-gamma terms. */
export function negativeBinomialRef(y: Float64Array, x: Float64Array, alpha: number): Float64Array {
  let sum = 0;
  for (let i = 0; i < y.length; i++) {
    const mu = Math.max(Math.expm1(y[i]!), 1e-8);
    const t = Math.max(Math.expm1(x[i]!), 0);
    const q = mu / (mu + alpha);
    sum -= alpha * Math.log(1 - q + 1e-8) + t * Math.log(q + 1e-8);
  }
  return Float64Array.of(sum / y.length);
}
