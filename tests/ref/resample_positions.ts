/** Position tables on another grid, in float64: rows before the grid stay, the grid is resized as an image of D channels. */

import { type AxisRule, resampleMatrix } from "./resize.ts";

/** `[prefix + h * w, D]` to `[prefix + h' * w', D]`. */
export function resamplePositionsRef(
  table: Float64Array,
  from: readonly [number, number],
  to: readonly [number, number],
  prefix: number,
  rule: AxisRule & { offset?: number },
): Float64Array {
  const D = table.length / (prefix + from[0] * from[1]);
  const [rows, columns] = [0, 1].map((i) =>
    resampleMatrix(from[i]!, to[i]!, { ...rule, scale: from[i]! / (to[i]! + (rule.offset ?? 0)) })
  ) as [number[][], number[][]];
  const y = [...table.slice(0, prefix * D)];
  for (const row of rows) {
    for (const column of columns) {
      for (let d = 0; d < D; d++) {
        let sum = 0;
        row.forEach((v, i) => column.forEach((u, j) => sum += v * u * table[(prefix + i * from[1] + j) * D + d]!));
        y.push(sum);
      }
    }
  }
  return Float64Array.from(y);
}
