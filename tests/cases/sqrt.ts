/** Cases of the square root. */

import { given, type OpCase, uniform } from "../case.ts";
import { row, rows } from "../elementwise_case.ts";

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows({ f: "sqrt", values: (shape) => uniform(shape, 0.1, 9) }),
  // 0 has no inverse root, from which WGSL derives the root.
  row({ f: "sqrt" }, [6], {
    name: "ends 6",
    inputs: { x: given([6], [0, 4, -1, Infinity, NaN, 1e38]) },
    ref: () => Float64Array.of(0, 2, NaN, Infinity, NaN, Math.sqrt(Math.fround(1e38))),
    wrt: [],
  }),
];
