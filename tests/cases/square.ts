/** Cases of the square. */

import type { OpCase } from "../case.ts";
import { rows } from "../elementwise_case.ts";

/** Case table. */
export const cases: readonly OpCase[] = rows({ f: "square" });
