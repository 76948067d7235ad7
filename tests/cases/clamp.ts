/** Cases of clamp: both bounds, and one that never binds. */

import type { OpCase } from "../case.ts";
import { row, rows } from "../elementwise_case.ts";

/** Case table. */
export const cases: readonly OpCase[] = [
  ...rows({ f: "clamp", a: -0.7, b: 1.5 }),
  row({ f: "clamp", a: 0, b: 1e30 }, [4, 9], { name: "from zero 4x9" }),
];
