import assert from "node:assert/strict";
import { DataError, ShapeError } from "../../src/core/errors.ts";
import { expression } from "../../src/data/counts.ts";
import {
  type GeneOptions,
  isControl,
  isEnsembl,
  makeUnique,
  prepareGenes,
  stripVersion,
  toSymbols,
} from "../../src/data/genes/genes.ts";
import { dense, toCsr, toDense } from "../../src/data/matrix.ts";
import fixture from "../fixtures/omics/preprocess.json" with { type: "json" };

const table = (genes: string[]) =>
  expression("S", ["a", "b"], genes, dense(2, genes.length, genes.flatMap((_, j) => [j, j])));

Deno.test("makeUnique() names as anndata does", () => {
  const [names, want] = fixture.makeUnique as [string[], string[]];
  assert.deepEqual(makeUnique(names), want);
});

Deno.test("Controls, blanks and ambiguous features are no genes", () => {
  const controls = [
    "NegControlProbe_1",
    "negcontrolcodeword_2",
    "antisense_X",
    "BLANK_3",
    "Blank-4",
    "UnassignedCodeword_1",
  ];
  for (const name of [...controls, "DeprecatedCodeword_9", "ambiguous", "Control-1"]) assert.ok(isControl(name), name);
  for (const name of ["ACTB", "MT-ND1", "HLA-A", "BLNK"]) assert.ok(!isControl(name), name);
});

Deno.test("Ensembl identifiers become symbols by the file's own column, then by the table", () => {
  assert.ok(isEnsembl("ENSG00000075624.17") && isEnsembl("ENSMUSG00000029580") && !isEnsembl("ENSA"));
  assert.equal(stripVersion("ensg00000075624.17"), "ENSG00000075624");
  const names = ["ENSG00000075624.17", "ENSG00000111640", "ENSG00000000003", "p53"];
  const columns = { gene_ids: names, gene_name: ["ACTB", "", undefined, "ignored"] };
  const aliases = new Map([["ENSG00000111640", "GAPDH"], ["P53", "TP53"]]);
  const { genes, mapped, unmapped, column } = toSymbols(names, { columns, aliases });
  assert.deepEqual(genes, ["ACTB", "GAPDH", "ENSG00000000003", "TP53"]);
  assert.deepEqual([mapped, unmapped, column], [3, ["ENSG00000000003"], "gene_name"]);
  assert.equal(toSymbols(["A"], { columns: { gene_name: ["B"] } }).genes[0], "A");
  assert.throws(() => toSymbols(names, { columns: { symbol: ["A"] } }), ShapeError);
});

Deno.test("prepareGenes() takes the first of equal names, sums them, renames them or refuses", () => {
  const names = ["a", "B", "A", "Blank_1"];
  const data = dense(2, 4, [1, 2, 3, 9, 4, 0, 6, 9]);
  for (const matrix of [data, toCsr(data)]) {
    const prepare = (options: GeneOptions) => prepareGenes(expression("S", ["x", "y"], names, matrix), options);
    const first = prepare({});
    assert.deepEqual([first.table.genes, [...toDense(first.table.matrix).data]], [["A", "B"], [1, 2, 4, 0]]);
    assert.deepEqual([first.report.duplicates, first.report.controls], [["A"], ["BLANK_1"]]);
    assert.deepEqual([...toDense(prepare({ duplicates: "sum" }).table.matrix).data], [4, 2, 10, 0]);
    assert.deepEqual(prepare({ duplicates: "unique" }).table.genes, ["A", "B", "A-1"]);
    assert.throws(() => prepare({ duplicates: "error" }), /S: A occur twice/);
    assert.deepEqual(prepare({ upperCase: false, keepControls: true }).table.genes, names);
  }
  assert.throws(() => prepareGenes(table(["BLANK_1"])), DataError);
});
