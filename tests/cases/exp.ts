/** Cases of the exponential. */

import { type OpCase, uniform } from "../case.ts";
import { row, rows } from "../elementwise_case.ts";

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows({ f: "exp", values: (shape) => uniform(shape, -6, 3) }),
  row({ f: "exp" }, [64], { name: "tail 64", inputs: { x: uniform([64], -40.1, -40) } }),
];
