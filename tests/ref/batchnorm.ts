/** Result of {@linkcode batchnormRef}. */
export interface BatchnormValues {
  y: Float64Array;
  runningMean: Float64Array;
  runningVar: Float64Array;
}

/**
 * Batch normalisation in float64. In training `running` is what the statistics were before, and the result holds what they
 * are after; otherwise they are used as they are. Missing gamma and beta are ones and zeros.
 */
export function batchnormRef(
  x: Float64Array,
  a: { gamma?: Float64Array; beta?: Float64Array; mean: Float64Array; variance: Float64Array },
  options: { training: boolean; eps: number; momentum: number },
): BatchnormValues {
  const D = a.mean.length;
  const M = x.length / D;
  const y = new Float64Array(x.length);
  const runningMean = a.mean.slice();
  const runningVar = a.variance.slice();
  for (let d = 0; d < D; d++) {
    let mean = a.mean[d]!;
    let variance = a.variance[d]!;
    if (options.training) {
      mean = 0;
      for (let m = 0; m < M; m++) mean += x[m * D + d]! / M;
      let squares = 0;
      for (let m = 0; m < M; m++) squares += (x[m * D + d]! - mean) ** 2;
      variance = squares / M;
      runningMean[d] = (1 - options.momentum) * runningMean[d]! + options.momentum * mean;
      runningVar[d] = (1 - options.momentum) * runningVar[d]! + options.momentum * squares / (M - 1);
    }
    for (let m = 0; m < M; m++) {
      const normal = (x[m * D + d]! - mean) / Math.sqrt(variance + options.eps);
      y[m * D + d] = normal * (a.gamma?.[d] ?? 1) + (a.beta?.[d] ?? 0);
    }
  }
  return { y, runningMean, runningVar };
}
