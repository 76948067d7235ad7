/** Bins of Visium HD pooled to squares of any side, kept or added up again, against sums bin by bin. */

import assert from "node:assert/strict";
import { Rng } from "../../src/core/rng.ts";
import { poolBins, poolsTo } from "../../src/data/convert/visium_hd.ts";
import { findVisium } from "../../src/data/convert/visium_folder.ts";
import { blocks, matrixOf, toDense } from "../../src/io/sparse.ts";

const GENES = 5;
const SIDE = 150;

/** Bins of 2 µm, some without counts, in the order of their rows or not. */
function bins(ordered: boolean) {
  const rng = new Rng(11);
  const places = Array.from({ length: SIDE * SIDE }, (_, i) => [Math.floor(i / SIDE), i % SIDE] as const)
    .filter(() => rng.below(3) > 0);
  if (!ordered) places.reverse();
  const indptr = [0];
  const [indices, values]: [number[], number[]] = [[], []];
  for (let i = 0; i < places.length; i++) {
    for (let gene = 0; gene < GENES; gene++) {
      if (rng.below(3) === 0) indices.push(gene), values.push(1 + rng.below(4));
    }
    indptr.push(values.length);
  }
  const own = {
    nameAt: (i: number) => `s_002um_${places[i]![0]}_${places[i]![1]}-1`,
    rows: Uint32Array.from(places.keys()),
    arrayRow: Int32Array.from(places, ([row]) => row),
    arrayCol: Int32Array.from(places, ([, column]) => column),
    inTissue: Int32Array.from(places, (_, i) => Number(i % 7 > 0)),
  };
  const matrix = matrixOf("X", GENES, {
    indptr: Uint32Array.from(indptr),
    indices: Uint32Array.from(indices),
    values: Float32Array.from(values),
  });
  return { own, matrix, places };
}

/** Gene 3 is no gene; gene 4 takes its column. */
const COLUMNS = { map: Int32Array.of(0, 1, 2, -1, 3), width: 4, genes: ["a", "b", "c", "d"] };
const fit = {
  size: 1,
  residual: 0,
  anisotropy: 1,
  at: (row: number, column: number) => [column, row] as [number, number],
};

for (const ordered of [true, false]) {
  for (const side of [2, 8, 16, 55, 112]) {
    Deno.test(`bins of 2 µm ${ordered ? "in order" : "in any order"} pooled to ${side} µm: every count in its square`, () => {
      const { own, matrix, places } = bins(ordered);
      const dense = toDense(matrix.read(0, matrix.rows), GENES);
      const expected = new Map<string, number[]>();
      places.forEach(([row, column], i) => {
        // The centre of the bin, µm.
        const key = [2 * row + 1, 2 * column + 1].map((um) => String(Math.floor(um / side)).padStart(4, "0")).join("x");
        const sums = expected.get(key) ?? [0, 0, 0, 0];
        [0, 1, 2, 4].forEach((gene, to) => sums[to]! += dense[i * GENES + gene]!);
        expected.set(key, sums);
      });
      for (const most of [1e6, 0]) {
        const pooled = poolBins("A", matrix, own, COLUMNS, { bin: 2, side, fit, most })();
        const { counts, barcodes, spatial } = pooled;
        assert.deepEqual([barcodes.length, counts.rows, counts.columns], [expected.size, expected.size, 4]);
        assert.deepEqual([...barcodes].sort(), barcodes);
        let stored = 0;
        for (const block of [...blocks(counts, 50), counts.read(1, counts.rows)]) {
          const rows = toDense(block, 4);
          if (block.from !== 1 || block.indptr.length - 1 < counts.rows - 1) stored += block.values.length;
          for (let i = 0; i + 1 < block.indptr.length; i++) {
            assert.deepEqual([...rows.subarray(4 * i, 4 * i + 4)], expected.get(barcodes[block.from + i]!));
          }
        }
        assert.equal(stored, counts.stored);
        // Its place is the middle of the square, in bins.
        const [row, column] = barcodes[0]!.split("x").map(Number) as [number, number];
        const middle = (n: number) => (n + 0.5) * side / 2 - 0.5;
        assert.deepEqual([spatial[0], spatial[1]], [middle(column), middle(row)]);
      }
    });
  }
}

Deno.test("squares are made of whole bins, or of twenty and more across", () => {
  assert.deepEqual([poolsTo(2, 55), poolsTo(16, 112), poolsTo(16, 55), poolsTo(8, 100), poolsTo(2, 3)], [
    true,
    true,
    false,
    false,
    false,
  ]);
  const folders: Record<string, string[]> = { HD: ["binned_outputs"], "HD/binned_outputs": [] };
  const look = (path: string) => folders[path] && { kind: "folder" as const, names: folders[path]! };
  for (const um of ["002", "008", "016"]) {
    const root = `HD/binned_outputs/square_${um}um`;
    folders["HD/binned_outputs"]!.push(`square_${um}um`);
    folders[root] = ["filtered_feature_bc_matrix.h5", "spatial"];
    folders[`${root}/spatial`] = ["tissue_positions.parquet"];
  }
  const chosen = (side: number) => /square_(\d+)um/.exec(findVisium({ look }, "HD", side).spatial)![1];
  assert.deepEqual([8, 16, 55, 112, 128, 24].map(chosen), ["008", "016", "002", "016", "016", "008"]);
  assert.throws(() => chosen(5), { code: "file-missing", message: /squares of 5 µm/ });
});
