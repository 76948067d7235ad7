/** Features beside the mean of those around. */

import assert from "node:assert/strict";
import { withAround } from "../../src/eval/around.ts";

Deno.test("a spot's own features, then the mean of those near it, its own where it is alone", () => {
  const x = { rows: 3, columns: 2, data: Float32Array.of(1, 2, 3, 6, 5, 10) };
  const near = { indptr: Uint32Array.of(0, 2, 3, 3), indices: Uint32Array.of(1, 2, 0) };
  const { rows, columns, data } = withAround(x, near);
  assert.deepEqual([rows, columns], [3, 4]);
  assert.deepEqual([...data], [1, 2, 4, 8, 3, 6, 1, 2, 5, 10, 5, 10]);
});
