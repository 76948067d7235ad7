/** Mean negative log-likelihood of the negative binomial in float64. */

import { lgamma } from "../../src/core/lgamma.ts";

/** `log1p` says that values are log1p of counts. */
export function negativeBinomialRef(y: Float64Array, x: Float64Array, alpha: number, log1p = true): Float64Array {
  const count = (value: number) => (log1p ? Math.expm1(value) : value);
  let sum = 0;
  for (let i = 0; i < y.length; i++) {
    const mu = Math.max(count(y[i]!), 1e-8);
    const t = Math.max(count(x[i]!), 0);
    const q = mu / (mu + alpha);
    sum -= lgamma(t + alpha) - lgamma(alpha) - lgamma(t + 1);
    sum -= alpha * Math.log(1 - q + 1e-8) + t * Math.log(q + 1e-8);
  }
  return Float64Array.of(sum / y.length);
}
