/** Silhouettes next to scikit-learn's. */

import assert from "node:assert/strict";
import { Silhouette } from "../../src/eval/silhouette.ts";

Deno.test("silhouettes are scikit-learn's; one cluster has none, rows that are alone count 0", () => {
  const rows = new Silhouette(Float32Array.from([0, 0, 0, 1, 1, 0, 5, 5, 6, 5, 5, 6, 9, 0, 10, 0]), 2);
  const wanted = [
    [[0, 0, 0, 1, 1, 1, 2, 2], 0.8387814711893788],
    [[0, 0, 1, 1, 1, 1, 2, 2], 0.5229450178304167],
    // The last row is alone.
    [[0, 0, 0, 1, 1, 1, 1, 2], 0.4262160731186061],
  ] as const;
  for (const [labels, value] of wanted) assert.ok(Math.abs(rows.mean(labels)! - value) < 1e-6, `${rows.mean(labels)}`);
  assert.equal(rows.mean([3, 3, 3, 3, 3, 3, 3, 3]), null);
});
