/** Cases of softplus: torch's threshold at 20, and the tail, which is e^x. */

import { type OpCase, uniform } from "../case.ts";
import { type Elementwise, row, rows } from "../elementwise_case.ts";

const softplus: Elementwise = { f: "softplus" };

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows(softplus),
  row(softplus, [64], { name: "threshold 64", inputs: { x: uniform([64], 15, 25) } }),
  row(softplus, [64], { name: "tail 64", inputs: { x: uniform([64], -20.1, -20) } }),
  row(softplus, [9], { name: "no overflow 9", inputs: { x: uniform([9], -1e4, 1e4) }, wrt: [] }),
];
