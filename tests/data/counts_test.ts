import assert from "node:assert/strict";
import { DataError, FormatError, ShapeError } from "../../src/core/errors.ts";
import { checkCounts, expression, scanCounts, selectGenes, selectSpots } from "../../src/data/counts.ts";
import {
  columnCounts,
  columnSums,
  csr,
  dense,
  gatherColumns,
  type Matrix,
  rowSums,
  selectColumns,
  selectRows,
  toCsr,
  toDense,
} from "../../src/data/matrix.ts";

const full = dense(3, 4, [0, 1, 0, 2, 0, 0, 0, 0, 5, 0, 3, 4]);
const both: Matrix[] = [full, toCsr(full)];
const values = (matrix: Matrix) => [...toDense(matrix).data];

Deno.test("csr() sorts columns, sums entries given in parts, and refuses contradictions", () => {
  const matrix = csr(2, 3, [0, 3, 4], [2, 0, 2, 1], [1, 2, 3, 7]);
  assert.deepEqual(values(matrix), [2, 0, 4, 0, 7, 0]);
  assert.deepEqual([[...matrix.indptr], [...matrix.indices]], [[0, 2, 3], [0, 2, 1]]);
  assert.throws(() => csr(2, 3, [0, 1], [0], [1]), FormatError);
  assert.throws(() => csr(2, 3, [0, 2, 1], [0], [1]), /row 1 ends before/);
  assert.throws(() => csr(1, 3, [0, 1], [3], [1]), /column 3 in entry 0, 0 to 2/);
  assert.throws(() => csr(1, 3, [0, 1], [0, 1], [1]), FormatError);
  assert.throws(() => dense(2, 2, [1]), ShapeError);
});

Deno.test("Both layouts give the same sums and selections", () => {
  for (const matrix of both) {
    assert.deepEqual([...rowSums(matrix)], [3, 0, 12]);
    assert.deepEqual([...columnSums(matrix)], [5, 1, 3, 6]);
    assert.deepEqual([...columnCounts(matrix)], [1, 1, 1, 2]);
    assert.deepEqual(values(selectRows(matrix, [2, 0, 2])), [5, 0, 3, 4, 0, 1, 0, 2, 5, 0, 3, 4]);
    assert.deepEqual(values(selectColumns(matrix, [3, 0])), [2, 0, 0, 0, 4, 5]);
    assert.deepEqual([...gatherColumns(matrix, [-1, 2])], [0, 0, 0, 0, 0, 3]);
    assert.deepEqual(values(toCsr(matrix)), [...full.data]);
    assert.equal(selectColumns(matrix, [1]).kind, matrix.kind);
  }
});

Deno.test("expression() wants a name for every row and column", () => {
  assert.throws(() => expression("s", ["a"], ["g"], full), ShapeError);
  const table = expression("s", ["a", "b", "c"], ["g", "h", "i", "j"], full);
  assert.deepEqual(selectSpots(table, [2, 1]).spots, ["c", "b"]);
  assert.deepEqual(selectGenes(table, [3]).genes, ["j"]);
});

Deno.test("checkCounts() names sample, spot and gene, and drops bad spots when asked", () => {
  for (const bad of [NaN, Infinity, -1]) {
    const table = expression("S1", ["a", "b"], ["g", "h"], dense(2, 2, [1, 2, 3, bad]));
    assert.throws(
      () => checkCounts(table),
      (error) => error instanceof DataError && /S1.*spot b, gene h/.test(error.message),
    );
    const { table: kept, dropped } = checkCounts(table, { dropBadSpots: true });
    assert.deepEqual([kept.spots, dropped], [["a"], ["b"]]);
  }
  const fractions = expression("S1", ["a"], ["g", "h"], dense(1, 2, [0.5, 65_000]));
  assert.throws(() => checkCounts(fractions), /raw counts: 0.5 in spot a, gene g/);
  assert.deepEqual([scanCounts(fractions).fractions, scanCounts(fractions).max], [1, 65_000]);
  const wrapped = expression("S1", ["a"], ["g"], dense(1, 1, [65_001]));
  assert.match(checkCounts(wrapped).warnings[0]!, /16-bit/);
});
