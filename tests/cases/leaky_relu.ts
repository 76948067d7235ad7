/** Cases of leaky ReLU: torch's default slope, another one, and none. */

import type { OpCase } from "../case.ts";
import { row, rows } from "../elementwise_case.ts";

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows({ f: "leaky_relu", a: 0.01 }),
  row({ f: "leaky_relu", a: 0.2 }, [6, 11], { name: "slope 0.2 6x11" }),
  row({ f: "leaky_relu", a: 0 }, [6, 11], { name: "slope 0 6x11" }),
];
