/** Rows that the head-only control is trained on: of each patch the view that the run draws. */

import { deepEqual, notDeepEqual } from "node:assert/strict";
import { viewRows } from "../../../src/methods/seal/control.ts";

Deno.test("rows of the control are of the patch and the view that are asked for", () => {
  const views = [0, 100].map((from) => Float32Array.from({ length: 6 }, (_, i) => from + i));
  const seen = [{ pair: 2, view: 0 }, { pair: 0, view: 1 }, { pair: 2, view: 1 }];
  deepEqual([...viewRows(views, seen, 2)], [4, 5, 100, 101, 104, 105]);
  notDeepEqual(viewRows(views, seen, 2), viewRows(views, seen.map(({ pair }) => ({ pair, view: 0 })), 2));
});
