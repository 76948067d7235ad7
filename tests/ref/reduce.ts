/** Reductions over the middle of [A, R, C] in float64. */

/** Sum, mean or maximum. */
export function reduceRef(f: "sum" | "mean" | "max", x: Float64Array, A: number, R: number, C: number): Float64Array {
  const y = new Float64Array(A * C).fill(f === "max" ? -Infinity : 0);
  for (let a = 0; a < A; a++) {
    for (let r = 0; r < R; r++) {
      for (let c = 0; c < C; c++) {
        const value = x[(a * R + r) * C + c]!;
        if (f === "max") y[a * C + c] = Math.max(y[a * C + c]!, value);
        else y[a * C + c]! += f === "mean" ? value / R : value;
      }
    }
  }
  return y;
}

/** Gradient of the maximum, shared evenly among the elements that attain it. */
export function maxGradientRef(x: Float64Array, dy: Float64Array, A: number, R: number, C: number): Float64Array {
  const top = reduceRef("max", x, A, R, C);
  const dx = new Float64Array(x.length);
  for (let a = 0; a < A; a++) {
    for (let c = 0; c < C; c++) {
      let count = 0;
      for (let r = 0; r < R; r++) if (x[(a * R + r) * C + c] === top[a * C + c]) count++;
      for (let r = 0; r < R; r++) {
        if (x[(a * R + r) * C + c] === top[a * C + c]) dx[(a * R + r) * C + c] = dy[a * C + c]! / count;
      }
    }
  }
  return dx;
}
