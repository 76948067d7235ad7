import assert from "node:assert/strict";
import { ShapeError } from "../../src/core/errors.ts";
import { centre } from "../../src/data/coordinates.ts";
import { dense, toCsr, toDense } from "../../src/data/matrix.ts";
import { degrees, gridNeighbours, neighboursWithin, slideNeighbours, smooth } from "../../src/data/genes/smooth.ts";
import fixture from "../fixtures/omics/preprocess.json" with { type: "json" };

const members = (n: { indptr: Uint32Array; indices: Uint32Array }, i: number) => [
  ...n.indices.subarray(n.indptr[i]!, n.indptr[i + 1]!),
];

Deno.test("A square grid of three has the degrees 4 6 4 6 9 6 4 6 4", () => {
  const rows = [0, 0, 0, 1, 1, 1, 2, 2, 2];
  const columns = [0, 1, 2, 0, 1, 2, 0, 1, 2];
  assert.deepEqual([...degrees(gridNeighbours(rows, columns))], [4, 6, 4, 6, 9, 6, 4, 6, 4]);
});

Deno.test("On Visium's grid sqrt2 finds four neighbours and hex6 six; both hold the spot and ascend", () => {
  const [rows, columns]: [number[], number[]] = [[], []];
  for (let r = 0; r < 12; r++) for (let c = r % 2; c < 20; c += 2) rows.push(r), columns.push(c);
  const four = gridNeighbours(rows, columns);
  assert.deepEqual([...degrees(four)], fixture.degrees);
  assert.deepEqual(members(four, 13), [3, 4, 13, 23, 24]);
  assert.deepEqual(members(gridNeighbours(rows, columns, "hex6"), 13), [3, 4, 12, 13, 14, 23, 24]);
});

Deno.test("slideNeighbours() finds by place what the array finds by index, give or take a tenth", () => {
  const [rows, columns]: [number[], number[]] = [[0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 2, 0, 1, 2, 0, 1, 2]];
  const spatial = centre(rows.flatMap((r, i) => [10 + 50 * columns[i]! + (i % 2) * 3, 90 + 50 * r]));
  assert.deepEqual(slideNeighbours(spatial, 50), gridNeighbours(rows, columns));
  assert.deepEqual([...degrees(slideNeighbours(spatial, 50, "hex6"))], [3, 4, 3, 4, 5, 4, 3, 4, 3]);
});

Deno.test("neighboursWithin() is inclusive, symmetric and takes negative and broken coordinates", () => {
  const found = neighboursWithin([-1.5, -1.5, 10], [0, 2, 0], 4);
  assert.deepEqual([members(found, 0), members(found, 1), members(found, 2)], [[0, 1], [0, 1], [2]]);
  assert.throws(() => neighboursWithin([1], [1, 2], 2), ShapeError);
});

Deno.test("smooth() keeps what a constant table holds, in both layouts, and spots without a neighbourhood", () => {
  const neighbours = gridNeighbours([0, 0, 1], [0, 1, 0]);
  const flat = dense(3, 2, [2, 0, 2, 0, 2, 0]);
  for (const matrix of [flat, toCsr(flat)]) {
    const out = [...toDense(smooth(matrix, neighbours)).data];
    assert.ok(out.every((value, i) => Math.abs(value - flat.data[i]!) < 1e-6));
  }
  const none = { indptr: new Uint32Array(4), indices: new Uint32Array(0) };
  assert.deepEqual([...toDense(smooth(flat, none)).data], [...flat.data]);
  assert.throws(() => smooth(flat, { ...none, indptr: new Uint32Array(3) }), ShapeError);
});
