import assert from "node:assert/strict";
import { DataError, FormatError, ShapeError } from "../../src/core/errors.ts";
import {
  checkCounts,
  type CountOptions,
  expression,
  holdsCounts,
  scanCounts,
  scanStored,
  selectGenes,
  selectSpots,
} from "../../src/data/counts.ts";
import { matrixOf } from "../../src/io/sparse.ts";
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

Deno.test("checkCounts() names sample, place, spot and gene, and gives bad spots when asked", () => {
  const check = (values: number[], options: CountOptions = {}) => {
    const spots = values.slice(0, values.length / 2).map((_, i) => "ab"[i]!);
    const table = expression("S1", spots, ["g", "h"], dense(spots.length, 2, values));
    return checkCounts("S1", scanCounts(table), { source: "S1.h5ad:/X", ...options });
  };
  for (const bad of [NaN, Infinity, -Infinity, -1, -0.5]) {
    assert.throws(
      () => check([1, 2, 3, bad]),
      (error) =>
        error instanceof DataError && error.code === "counts" &&
        error.message ===
          `Cannot use the counts of S1: ${bad} in spot b, gene h, whole numbers from 0 wanted in S1.h5ad:/X`,
    );
    const { bad: rows, warnings } = check([1, 2, 3, bad], { dropBadSpots: true });
    assert.deepEqual([[...rows], warnings], [[1], [
      "S1: 1 spots with NaN, infinite or negative counts were left out",
    ]]);
  }
  assert.throws(() => check([0.5, 65_000]), /0.5 in spot a, gene g, and 50.0 % of the numbers are fractions/);
  // Dropping rows does not make fractions counts, and f32 has no 2^24 + 1.
  assert.throws(() => check([0.5, 1, -1, 2], { dropBadSpots: true }), /fractions/);
  assert.throws(() => check([1, 2 ** 24]), /16777216 in spot a, gene h, counts below 16777216 wanted/);
  assert.deepEqual(check([1, 2 ** 24 - 1]).warnings, []);
  assert.throws(() => check([0, 0, 0, 0]), /all are 0, some above 0 wanted/);
  assert.match(check([0, 65_001]).warnings[0]!, /16-bit/);
  assert.match(check([0, 127], { dtype: "i1" }).warnings[0]!, /127, the most its i1 holds/);
  assert.deepEqual(check([0, 127], { dtype: "i2" }).warnings, []);
  assert.match(check([0, 1]).warnings[0]!, /no count is above 1/);
  assert.throws(() => check([0, 1], { dtype: "bool", dropBadSpots: true }), /true and false/);
  assert.throws(() => check([-1, 1], { mend: (rows) => `rows ${rows}` }), { hint: "rows true" });
  assert.throws(() => check([-1, 0.5], { mend: (rows) => `rows ${rows}` }), { hint: "rows false" });
});

Deno.test("scanStored() finds in a matrix read by blocks what scanCounts() finds in memory", () => {
  const names = { sample: "S", spots: ["a", "b"], genes: ["g", "h", "i"] };
  const numbers = {
    indptr: Uint32Array.of(0, 2, 4),
    indices: Uint32Array.of(0, 2, 0, 1),
    values: Float32Array.of(3, 0.25, NaN, -2),
  };
  const stored = scanStored(matrixOf("M", 3, numbers), names);
  assert.deepEqual(stored, scanCounts({ ...names, matrix: dense(2, 3, [3, 0, 0.25, NaN, -2, 0]) }));
  assert.deepEqual(stored, {
    notFinite: [1],
    negative: [1],
    nonzero: 4,
    fractions: 1,
    max: 3,
    first: { fraction: "0.25 in spot a, gene i", bad: "NaN in spot b, gene g" },
  });
  const counted = (...values: number[]) =>
    holdsCounts(matrixOf("M", 1, {
      indptr: Uint32Array.from({ length: values.length + 1 }, (_, i) => i),
      indices: new Uint32Array(values.length),
      values: Float32Array.from(values),
    }));
  assert.deepEqual([counted(0, 1), counted(0), counted(), counted(1, 0.5), counted(-1), counted(NaN)], [
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});
