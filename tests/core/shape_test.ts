import assert from "node:assert/strict";
import { ShapeError } from "../../src/core/errors.ts";
import { broadcastShapes, expectShape, resolveReshape } from "../../src/core/shape.ts";

Deno.test("broadcastShapes() follows NumPy", () => {
  assert.deepEqual(broadcastShapes([8, 1, 6, 1], [7, 1, 5]), [8, 7, 6, 5]);
  assert.deepEqual(broadcastShapes([0, 3], [1]), [0, 3]);
  assert.throws(() => broadcastShapes([2, 3], [4, 3]), ShapeError);
});

Deno.test("resolveReshape() fills one hole and rejects what does not fit", () => {
  assert.deepEqual(resolveReshape([4, 6], [2, -1]), [2, 12]);
  for (const to of [[5, -1], [-1, -1], [4, 7], [-2, -12]]) assert.throws(() => resolveReshape([4, 6], to), ShapeError);
});

Deno.test("expectShape() names op, tensor, what was given and what was wanted", () => {
  expectShape("op", "x", [2, 3], [null, 3]);
  assert.throws(
    () => expectShape("linear", "weight", [4, 5], [null, 3]),
    (error: unknown) =>
      error instanceof ShapeError && error.message === "Cannot run linear: weight is [4, 5], wanted [any, 3]" &&
      error.context.dim === 1,
  );
});
