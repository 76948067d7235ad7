/** Cases of SiLU. */

import { given, type OpCase, uniform } from "../case.ts";
import { type Elementwise, row, rows, worked } from "../elementwise_case.ts";

const silu: Elementwise = { f: "silu" };

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows(silu),
  worked(silu, [-1, 0.5, 2], [-.268941, .311230, 1.761594]),
  row(silu, [101], { name: "tail 101", inputs: { x: uniform([101], -20.1, -20) } }),
  row(silu, [4], { name: "no overflow 4", inputs: { x: given([4], [-1e4, -100, 100, 1e4]) }, wrt: [] }),
];
