/** Cases of the natural logarithm: near 1, where the built-in has few digits. */

import { given, type OpCase, uniform } from "../case.ts";
import { row, rows } from "../elementwise_case.ts";

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows({ f: "log", values: (shape) => uniform(shape, 0.05, 9) }),
  row({ f: "log" }, [64], { name: "near one 64", inputs: { x: uniform([64], 0.999, 1.001) } }),
  row({ f: "log" }, [4], { name: "far 4", inputs: { x: given([4], [1e-37, 1e-6, 1e6, 1e38]) }, wrt: [] }),
  row({ f: "log" }, [5], {
    name: "what has no logarithm 5",
    inputs: { x: given([5], [0, -0, -1, Infinity, NaN]) },
    ref: () => Float64Array.of(-Infinity, -Infinity, NaN, Infinity, NaN),
    wrt: [],
  }),
];
