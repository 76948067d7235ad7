/** Cases of GELU: the far tail, where the exact form loses its digits when computed as 1 + erf. */

import { given, type OpCase, uniform } from "../case.ts";
import { type Elementwise, row, rows, worked } from "../elementwise_case.ts";

const gelu: Elementwise = { f: "gelu" };

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows(gelu),
  worked(gelu, [-1, 0.5, 2], [-.158655, .345731, 1.954500]),
  row(gelu, [3, 67], { name: "wide range 3x67", inputs: { x: uniform([3, 67], -14, 14) } }),
  // Values near -1e-15: relative accuracy.
  row(gelu, [101], { name: "tail 101", inputs: { x: uniform([101], -8.2, -8) } }),
  row(gelu, [4], { name: "beyond the tail 4", inputs: { x: given([4], [-1e30, -100, 100, 1e4]) }, wrt: [] }),
];
