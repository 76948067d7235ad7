/** Interpolation in float64 as a product with dense matrices, one an axis. */

/** How an axis is sampled. */
export interface AxisRule {
  readonly filter: "bilinear" | "bicubic";
  readonly antialias: boolean;
  /** Input steps per output step; from / to by default. */
  readonly scale?: number;
}

function cubic(x: number, a: number): number {
  const t = Math.abs(x);
  if (t < 1) return (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1;
  return t < 2 ? a * t ** 3 - 5 * a * t ** 2 + 8 * a * t - 4 * a : 0;
}

/** Weight of input i in output o, `[to][from]`. */
export function resampleMatrix(from: number, to: number, rule: AxisRule): number[][] {
  const scale = rule.scale ?? from / to;
  const k = (x: number) =>
    rule.filter === "bilinear" ? Math.max(0, 1 - Math.abs(x)) : cubic(x, rule.antialias ? -0.5 : -0.75);
  return Array.from({ length: to }, (_, o) => {
    const center = (o + 0.5) * scale - 0.5;
    const row = new Array<number>(from).fill(0);
    if (rule.antialias) {
      for (let i = 0; i < from; i++) row[i] = k((i - center) / Math.max(1, scale));
      const sum = row.reduce((a, b) => a + b, 0);
      return row.map((value) => value / sum);
    }
    // Inputs beyond the border are copies of the last one.
    for (let i = -8; i < from + 8; i++) {
      const weight = k(i - (rule.filter === "bilinear" ? Math.max(0, center) : center));
      row[Math.min(from - 1, Math.max(0, i))]! += weight;
    }
    return row;
  });
}

/** One axis of `[A, N, C]`; `round` is applied to each result. */
function along(
  x: Float64Array,
  C: number,
  matrix: readonly (readonly number[])[],
  round: (v: number) => number,
): Float64Array {
  const N = matrix[0]!.length;
  const A = x.length / (N * C);
  const y = new Float64Array(A * matrix.length * C);
  for (let a = 0; a < A; a++) {
    matrix.forEach((row, o) => {
      for (let c = 0; c < C; c++) {
        let sum = 0;
        row.forEach((weight, i) => sum += weight * x[(a * N + i) * C + c]!);
        y[(a * matrix.length + o) * C + c] = round(sum);
      }
    });
  }
  return y;
}

/** `[B, H, W, C]` to `[B, h, w, C]`: columns, then rows. `pil` rounds and clips after each, with integer weights. */
export function resizeRef(
  x: Float64Array,
  shape: readonly [number, number, number, number],
  to: readonly [number, number],
  rule: AxisRule,
  pil = false,
): Float64Array {
  const [, H, W, C] = shape;
  const fixed = (matrix: number[][]) =>
    pil ? matrix.map((row) => row.map((w) => Math.sign(w) * Math.floor(Math.abs(w) * 2 ** 22 + 0.5))) : matrix;
  const round = (v: number) => (pil ? Math.min(255, Math.max(0, Math.floor((v + 2 ** 21) / 2 ** 22))) : v);
  const across = along(x, C, fixed(resampleMatrix(W, to[1], rule)), round);
  return along(across, to[1] * C, fixed(resampleMatrix(H, to[0], rule)), round);
}
