/** Cases of tanh: arguments at which e^2x overflows, and tiny ones, where it cancels. */

import { given, type OpCase, uniform } from "../case.ts";
import { type Elementwise, row, rows } from "../elementwise_case.ts";

const tanh: Elementwise = { f: "tanh" };

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows(tanh),
  row(tanh, [64], { name: "small 64", inputs: { x: uniform([64], -1e-3, 1e-3) } }),
  row(tanh, [6], { name: "no overflow 6", inputs: { x: given([6], [-1e30, -100, -44, 44, 100, 1e30]) }, wrt: [] }),
];
