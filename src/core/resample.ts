/**
 * Interpolation weights of one axis, in float64, as Pillow and PyTorch compute them. Output `o` samples the input at
 * `(o + 0.5) * scale`; antialiasing stretches the filter by the scale when shrinking and divides the weights by their
 * sum. Without it the filter keeps its width and inputs beyond the border repeat the last one.
 *
 * Sources: Pillow `Resample.c` (`precompute_coeffs`, `normalize_coeffs_8bpc`), PyTorch `UpSampleKernel.cpp`.
 *
 * @module
 */

/** Interpolation filters. */
export type ResampleFilter = "bilinear" | "bicubic";

/** Options of {@linkcode resampleTaps}. */
export interface ResampleOptions {
  readonly filter: ResampleFilter;
  /** As Pillow always and PyTorch with `antialias=True`; bicubic then has a = -0.5, otherwise -0.75. */
  readonly antialias: boolean;
  /** Input steps per output step. Default `from / to`. */
  readonly scale?: number;
}

/** Weights of one axis: output `o` is the sum over `t` of `weights[o * width + t] * input[start[o] + t]`. */
export interface Taps {
  /** Extent of the input. */
  readonly from: number;
  /** Extent of the output. */
  readonly to: number;
  /** Weights an output; shorter rows are padded with zeros, within the input. */
  readonly width: number;
  readonly start: Uint32Array;
  readonly weights: Float64Array;
}

interface Row {
  start: number;
  values: number[];
}

function bicubic(x: number, a: number): number {
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

function triangle(x: number): number {
  return Math.max(0, 1 - Math.abs(x));
}

/** Pillow's row of weights, operation by operation: its integer weights are these, rounded. */
function antialiased(o: number, from: number, scale: number, filter: ResampleFilter): Row {
  const stretch = Math.max(scale, 1);
  const support = (filter === "bicubic" ? 2 : 1) * stretch;
  const center = (o + 0.5) * scale;
  const start = Math.max(0, Math.trunc(center - support + 0.5));
  const end = Math.min(from, Math.trunc(center + support + 0.5));
  const inverse = 1 / stretch;
  const values: number[] = [];
  let sum = 0;
  for (let i = start; i < end; i++) {
    const x = (i - center + 0.5) * inverse;
    const value = filter === "bicubic" ? bicubic(x, -0.5) : triangle(x);
    values.push(value);
    sum += value;
  }
  return { start, values: sum === 0 ? values : values.map((value) => value / sum) };
}

/** PyTorch's row without antialiasing: two or four inputs, those beyond the border added to the last one. */
function plain(o: number, from: number, scale: number, filter: ResampleFilter): Row {
  const at = (o + 0.5) * scale - 0.5;
  const center = filter === "bilinear" ? Math.max(0, at) : at;
  const first = Math.floor(center) - (filter === "bicubic" ? 1 : 0);
  const clamp = (i: number) => Math.min(from - 1, Math.max(0, i));
  const start = clamp(first);
  const values: number[] = [];
  for (let i = first; i < first + (filter === "bicubic" ? 4 : 2); i++) {
    const x = center - i;
    const slot = clamp(i) - start;
    values[slot] = (values[slot] ?? 0) + (filter === "bicubic" ? bicubic(x, -0.75) : triangle(x));
  }
  return { start, values };
}

/** Rows as a rectangle. A row that padding would carry past the input starts earlier instead. */
function rectangle(from: number, rows: readonly Row[]): Taps {
  const width = Math.max(1, ...rows.map(({ values }) => values.length));
  const start = new Uint32Array(rows.length);
  const weights = new Float64Array(rows.length * width);
  rows.forEach((row, o) => {
    start[o] = Math.max(0, Math.min(row.start, from - width));
    row.values.forEach((value, t) => weights[o * width + row.start - start[o]! + t] = value);
  });
  return { from, to: rows.length, width, start, weights };
}

/**
 * Weights from `from` inputs to `to` outputs.
 *
 * @param from Positive integer.
 * @param to Positive integer.
 */
export function resampleTaps(from: number, to: number, options: ResampleOptions): Taps {
  const { filter, antialias, scale = from / to } = options;
  const row = antialias ? antialiased : plain;
  return rectangle(from, Array.from({ length: to }, (_, o) => row(o, from, scale, filter)));
}

/** The outputs `first .. first + count` only. */
export function cropTaps({ from, width, start, weights }: Taps, first: number, count: number): Taps {
  return {
    from,
    to: count,
    width,
    start: start.slice(first, first + count),
    weights: weights.slice(first * width, (first + count) * width),
  };
}

/** The transposed weights, which carry a gradient from the outputs to the inputs. */
export function transposeTaps({ from, to, width, start, weights }: Taps): Taps {
  const rows: Row[] = Array.from({ length: from }, () => ({ start: 0, values: [] }));
  for (let o = 0; o < to; o++) {
    for (let t = 0; t < width; t++) {
      const value = weights[o * width + t]!;
      if (value === 0) continue;
      const row = rows[start[o]! + t]!;
      if (!row.values.length) row.start = o;
      // An output between two that read this input may skip it.
      while (row.values.length < o - row.start) row.values.push(0);
      row.values.push(value);
    }
  }
  return rectangle(to, rows);
}

/** Pillow's integer weights: 22 fractional bits, halves away from zero. */
export function fixedTaps({ weights }: Taps): Int32Array {
  return Int32Array.from(weights, (value) => Math.trunc(value * 2 ** 22 + (value < 0 ? -0.5 : 0.5)));
}
