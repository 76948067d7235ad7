/**
 * Summaries of a list of numbers, as numpy computes them.
 *
 * @module
 */

/** Mean; NaN of nothing. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Population deviation, as `numpy.std`; NaN of nothing. */
export function deviation(values: ArrayLike<number>): number {
  const centre = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - centre) ** 2;
  return Math.sqrt(sum / values.length);
}

/** A percentile between the two nearest values, as `numpy.percentile`; NaN of nothing. */
export function percentile(values: ArrayLike<number>, percent: number): number {
  const sorted = Float64Array.from(values).sort();
  const at = percent / 100 * (sorted.length - 1);
  const low = Math.floor(at);
  const share = at - low;
  const [a, b] = [sorted[low] ?? NaN, sorted[Math.min(low + 1, sorted.length - 1)] ?? NaN];
  return share < 0.5 ? a + (b - a) * share : b - (b - a) * (1 - share);
}

/** Rounds to a number of digits behind the point; exact halves to the even digit, as numpy does. */
export function roundTo(value: number, digits: number): number {
  const scaled = value * 10 ** digits;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const whole = rest === 0.5 ? floor + Math.abs(floor % 2) : Math.round(scaled);
  return whole / 10 ** digits;
}
