import assert from "node:assert/strict";
import { DataError, ShapeError } from "../../src/core/errors.ts";
import { expression, selectSpots } from "../../src/data/counts.ts";
import { dense, stackRows, toCsr, toDense } from "../../src/data/matrix.ts";
import { choosePanel, commonGenes, panelColumns } from "../../src/data/genes/panel.ts";
import fixture from "../fixtures/omics/preprocess.json" with { type: "json" };
import { hashedSample } from "./hashed_sample.ts";

const { table } = hashedSample();
const rows = table.spots.map((_, i) => i);
const samples = [selectSpots(table, rows.slice(0, 50)), selectSpots(table, rows.slice(50))];

Deno.test("choosePanel() agrees with scanpy by HEST's rule", () => {
  assert.equal(commonGenes(samples, 0.1).length, fixture.panel.eligible);
  assert.deepEqual(choosePanel(samples, { genes: 30 }), fixture.panel.var);
  assert.deepEqual(choosePanel(samples, { genes: 30, criterion: "mean" }), fixture.panel.mean);
});

Deno.test("choosePanel() refuses when too few genes are common, and names the samples", () => {
  const poor = { ...samples[0]!, sample: "POOR", genes: samples[0]!.genes.map((name) => `ENSG${name}`) };
  assert.throws(() => choosePanel([...samples, poor], { genes: 30 }), (error) => {
    return error instanceof DataError && /30 genes: 0 in 10 %/.test(error.message) && /POOR/.test(error.hint!);
  });
});

Deno.test("panelColumns() wants every gene once", () => {
  const small = expression("S", ["a"], ["X", "Y", "X"], dense(1, 3, [1, 2, 3]));
  assert.deepEqual([...panelColumns(["Y"], small)], [1]);
  assert.throws(() => panelColumns(["Y", "Z", "W"], small), /from S: it lacks Z, W/);
  assert.throws(() => panelColumns(["X"], small), /two columns named X/);
});

Deno.test("stackRows() stacks both layouts of equal width", () => {
  const one = dense(1, 2, [1, 0]);
  assert.deepEqual([...toDense(stackRows([one, toCsr(dense(2, 2, [0, 2, 3, 4]))])).data], [1, 0, 0, 2, 3, 4]);
  assert.throws(() => stackRows([one, dense(1, 3, [1, 2, 3])]), ShapeError);
});
