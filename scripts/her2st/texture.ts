/**
 * Colour and texture of a square patch of 2 µm pixels, over all of it and over its middle half: means, deviations and
 * quantiles of colours and of haematoxylin and eosin (Ruifrok and Johnston, 2001), edges, and energy between blurs.
 */

/** Optical density to stains: the inverse of the rows haematoxylin, eosin, rest. */
const STAINS = invert([[0.650, 0.704, 0.286], [0.072, 0.990, 0.105], [0.268, 0.570, 0.776]]
  .map((row) => row.map((v) => v / Math.hypot(...row))));

/** Optical density of each grey level. */
const DENSITY = Float64Array.from({ length: 256 }, (_, v) => -Math.log((v + 1) / 256));

function invert(m: number[][]): number[][] {
  const [[a, b, c], [d, e, f], [g, h, i]] = m as [
    [number, number, number],
    [number, number, number],
    [number, number, number],
  ];
  const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [
    [(e * i - f * h) / det, (c * h - b * i) / det, (b * f - c * e) / det],
    [(f * g - d * i) / det, (a * i - c * g) / det, (c * d - a * f) / det],
    [(d * h - e * g) / det, (b * g - a * h) / det, (a * e - b * d) / det],
  ];
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function deviation(values: Float64Array): number {
  const m = mean(values);
  let sum = 0;
  for (const value of values) sum += (value - m) ** 2;
  return Math.sqrt(sum / values.length);
}

function quantiles(values: Float64Array, at: readonly number[]): number[] {
  // Every fourth value is enough.
  const sorted = values.filter((_, i) => i % 4 === 0).sort();
  return at.map((q) => sorted[Math.round(q * (sorted.length - 1))]!);
}

/** Mean over a square of 2 r + 1 pixels, cut at the border, by running sums. */
function box(x: Float64Array, side: number, r: number): Float64Array {
  const across = new Float64Array(x.length);
  const out = new Float64Array(x.length);
  for (const [from, to, step, line] of [[x, across, 1, side], [across, out, side, 1]] as const) {
    for (let l = 0; l < side; l++) {
      let [sum, n] = [0, 0];
      for (let i = -r; i < side; i++) {
        if (i + r < side) {
          sum += from[l * line + (i + r) * step]!;
          n++;
        }
        if (i - r - 1 >= 0) {
          sum -= from[l * line + (i - r - 1) * step]!;
          n--;
        }
        if (i >= 0) to[l * line + i * step] = sum / n;
      }
    }
  }
  return out;
}

/** Statistics of one window. */
function windowStatistics(rgb: Uint8Array, side: number): number[] {
  const n = side * side;
  const channels = [0, 1, 2].map((c) => Float64Array.from({ length: n }, (_, i) => rgb[3 * i + c]! / 255));
  const [h, e] = [new Float64Array(n), new Float64Array(n)];
  let bright = 0;
  for (let i = 0; i < n; i++) {
    let total = 0;
    for (let c = 0; c < 3; c++) {
      const value = rgb[3 * i + c]!;
      h[i]! += DENSITY[value]! * STAINS[c]![0]!;
      e[i]! += DENSITY[value]! * STAINS[c]![1]!;
      total += value;
    }
    if (total > 3 * 0.85 * 255) bright++;
  }
  const edges = new Float64Array(n);
  for (let y = 1; y + 1 < side; y++) {
    for (let x = 1; x + 1 < side; x++) {
      const i = y * side + x;
      edges[i] = Math.hypot(h[i + 1]! - h[i - 1]!, h[i + side]! - h[i - side]!) / 2;
    }
  }
  const [b1, b2, b4] = [1, 2, 4].map((r) => box(h, side, r)) as [Float64Array, Float64Array, Float64Array];
  const between = (a: Float64Array, b: Float64Array) => deviation(a.map((v, i) => v - b[i]!));
  return [
    ...channels.flatMap((x) => [mean(x), deviation(x)]),
    mean(h),
    deviation(h),
    ...quantiles(h, [0.1, 0.5, 0.9]),
    mean(e),
    deviation(e),
    ...quantiles(e, [0.1, 0.9]),
    mean(edges),
    deviation(edges),
    between(h, b1),
    between(b1, b2),
    between(b2, b4),
    h.filter((v) => v > 0.35).length / n,
    bright / n,
  ];
}

/** All numbers of a patch `[side, side, 3]`. */
export function textureStatistics(rgb: Uint8Array, side: number): Float64Array {
  const half = side / 2;
  const middle = new Uint8Array(half * half * 3);
  for (let y = 0; y < half; y++) {
    const from = ((y + side / 4) * side + side / 4) * 3;
    middle.set(rgb.subarray(from, from + half * 3), y * half * 3);
  }
  return Float64Array.from([...windowStatistics(rgb, side), ...windowStatistics(middle, half)]);
}
