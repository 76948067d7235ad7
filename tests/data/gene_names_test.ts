/** Genes that are asked for under names other than those they were measured by; tables of aliases. */

import assert from "node:assert/strict";
import { DataError, FormatError } from "../../src/core/errors.ts";
import { readAliases } from "../../src/data/genes/aliases.ts";
import { withdrawnSymbols } from "../../src/data/genes/withdrawn.ts";
import { describeOthers, GeneResolver } from "../../src/data/genes/resolve.ts";

const HGNC = [
  "hgnc_id\tsymbol\tprev_symbol\talias_symbol\tensembl_gene_id",
  'HGNC:1\tSEPTIN9\tMSF|SEPT9\t"MSF1|AF17q25"\tENSG00000184640',
  "HGNC:2\tMARCHF1\tMARCH1\tRNF171\tENSG00000145416",
  "HGNC:3\tH2AX\tH2AFX\tMSF1\tENSG00000188486",
  "HGNC:4\tMSF1B\t\tH2AX\t",
].join("\n");

Deno.test("aliases of HGNC's table: withdrawn before alternative, ambiguous ones name nothing, symbols in use stay", () => {
  const { symbols, ambiguous } = readAliases(HGNC, "hgnc.txt");
  assert.equal(symbols.get("SEPT9"), "SEPTIN9");
  assert.equal(symbols.get("ENSG00000145416"), "MARCHF1");
  assert.equal(symbols.get("MSF1"), undefined);
  assert.equal(symbols.get("H2AX"), undefined);
  assert.equal(ambiguous, 1);
  assert.equal(readAliases("alias,symbol\nERBB-2,ERBB2\n", "a.csv").symbols.get("ERBB-2"), "ERBB2");
  assert.throws(() => readAliases("a,b\nx,y\n", "a.csv"), DataError);
  assert.throws(() => readAliases("alias,symbol\nx\n", "a.csv"), FormatError);
});

Deno.test("genes are found by name; under other names they are told, and taken when asked for", () => {
  const { symbols } = readAliases(HGNC, "hgnc.txt");
  const genes = ["Epcam", "SEPT9", "MARCHF1", "ENSG00000188486.4", "KRT8", "krt8", "CD3E"];
  const columns = { gene_ids: ["ENSMUSG00000045394", undefined, "ENSG00000145416", undefined, undefined, "x", "y"] };
  const resolver = new GeneResolver(genes, columns, symbols);
  const asked = [
    "CD3E",
    "EPCAM",
    "SEPTIN9",
    "MARCH1",
    "ENSG00000188486.9",
    "H2AFX",
    "Krt8",
    "NOPE",
    "ENSMUSG00000045394.7",
  ];
  const told = resolver.find(asked, false);
  assert.deepEqual(told.columns, [6]);
  assert.deepEqual(told.missing, ["Krt8", "NOPE"]);
  assert.deepEqual(
    told.others.map(({ asked, gene, why }) => [asked, gene, why]),
    [
      ["EPCAM", "Epcam", "case"],
      ["SEPTIN9", "SEPT9", "alias"],
      ["MARCH1", "MARCHF1", "alias"],
      ["ENSG00000188486.9", "ENSG00000188486.4", "ensembl"],
      ["H2AFX", "ENSG00000188486.4", "alias"],
      ["ENSMUSG00000045394.7", "Epcam", "ensembl"],
    ],
  );
  assert.deepEqual([...resolver.find(asked, true).columns], [6, 0, 1, 2, 3]);
  assert.match(
    describeOthers(told.others),
    /1 in other letter case \(EPCAM is Epcam\), 3 by an alias \(SEPTIN9 is SEPT9\)/,
  );
});

Deno.test("withdrawn symbols lead to approved ones, none of which was withdrawn, and are found both ways", () => {
  const table = withdrawnSymbols();
  assert.equal(table.size, 253);
  for (const [before, now] of table) {
    assert.match(now, /^[A-Z0-9][A-Za-z0-9-]+$/);
    assert.ok(!table.has(now.toUpperCase()), `${before} leads to ${now}, which leads on`);
  }
  const resolver = new GeneResolver(["CRIPTO", "ARNTL", "C1ORF43", "ACTB"], {}, table);
  const found = resolver.find(["TDGF1", "BMAL1", "LTAP1", "ACTB", "NOWHERE"], true);
  assert.deepEqual(found.others.map(({ asked, gene, why }) => [asked, gene, why]), [
    ["TDGF1", "CRIPTO", "alias"],
    ["BMAL1", "ARNTL", "alias"],
    ["LTAP1", "C1ORF43", "alias"],
  ]);
  assert.deepEqual([[...found.columns].sort(), found.missing], [[0, 1, 2, 3], ["NOWHERE"]]);
});
