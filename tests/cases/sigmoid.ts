/** Cases of the logistic function. */

import { given, type OpCase, uniform } from "../case.ts";
import { type Elementwise, row, rows } from "../elementwise_case.ts";

const sigmoid: Elementwise = { f: "sigmoid" };

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows(sigmoid),
  row(sigmoid, [64], { name: "tail 64", inputs: { x: uniform([64], -30.1, -30) } }),
  row(sigmoid, [4], { name: "no overflow 4", inputs: { x: given([4], [-1e4, -100, 100, 1e4]) }, wrt: [] }),
];
