/** `convert scores` on a synthetic folder: spots, slides and cases, names that differ, and what is refused. */

import assert from "node:assert/strict";
import { readCaseExpression } from "../../src/data/cohort/gene_sets.ts";
import { readCohort } from "../../src/data/cohort/cohort_table.ts";
import { logNormalize } from "../../src/data/genes/normalise.ts";
import { scoreGenes } from "../../src/data/genes/score.ts";
import { loadMatrix } from "../../src/data/sample.ts";
import { disk } from "../../src/io/fs.ts";
import { H5ad } from "../../src/io/hdf5/h5ad.ts";
import { toDense } from "../../src/io/sparse.ts";
import { inFolder, seal } from "./shared.ts";

async function opened<T>(path: string, look: (file: H5ad) => T): Promise<T> {
  const file = await H5ad.open(disk.open(path, "read"));
  try {
    return look(file);
  } finally {
    file.close();
  }
}

Deno.test("convert scores: spots by sets, a table of slides, expression of cases; other names told or taken", async () => {
  await inFolder(async (folder) => {
    const data = `${folder}/data`;
    const made = await seal("synth", "--profile", "smoke", "--out", data, "--slides", "2", "--quiet");
    assert.equal(made.code, 0, made.err);
    const ids = [...Deno.readDirSync(`${data}/st`)].map(({ name }) => name.replace(".h5ad", "")).sort();
    const { genes, counts } = await opened(`${data}/st/${ids[0]}.h5ad`, (file) => ({
      genes: file.var.index,
      counts: loadMatrix(file.x),
    }));
    const own = [3, 10, 40];
    const gmt = `${folder}/sets.gmt`;
    Deno.writeTextFileSync(
      gmt,
      [
        ["OWN", "x", ...own.map((j) => genes[j]!), "ABSENT"],
        ["OTHER", "x", genes[5]!.toLowerCase(), "OLDNAME", genes[6]!],
      ].map((line) => `${line.join("\t")}\n`).join(""),
    );
    Deno.writeTextFileSync(`${folder}/aliases.tsv`, `alias\tsymbol\nOLDNAME\t${genes[7]}\n`);
    const run = async (out: string, ...words: string[]) => {
      const all = ["convert", "scores", data, "--gene-sets", gmt, "--out", `${folder}/${out}`, "--json", ...words];
      const { code, out: text, err } = await seal(...all);
      assert.equal(code, 0, err);
      return { json: JSON.parse(text), err };
    };
    const aliases = ["--aliases", `${folder}/aliases.tsv`];
    const told = await run("told", ...aliases);
    assert.match(told.err, /1 gene of the sets not measured/);
    assert.match(told.err, /left out \(--map-genes takes them\): 1 in other letter case .*, 1 by an alias/);
    const taken = await run("taken", "--map-genes", ...aliases);
    assert.deepEqual(told.json.samples.map(({ sets }: { sets: { found: number }[] }) => sets.map((s) => s.found)), [
      [3, 1],
      [3, 1],
    ]);
    assert.deepEqual(taken.json.samples[0].sets.map((set: { found: number }) => set.found), [3, 3]);
    const expected = scoreGenes(logNormalize(counts), [own, [5, 7, 6]]).values;
    const found = await opened(`${folder}/taken/spots/${ids[0]}.h5ad`, (file) => {
      assert.deepEqual(file.var.index, ["OWN", "OTHER"]);
      assert.equal(file.spatial().length, 2 * counts.rows);
      return toDense(file.x.read(0, counts.rows), 2);
    });
    found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) < 1e-6));
    const slides = readCohort(Deno.readTextFileSync(`${folder}/taken/slides.csv`), "slides.csv");
    assert.deepEqual(slides.rows.map(({ slide }) => slide), ids);
    const mean = expected.filter((_, i) => i % 2 === 0).reduce((a, b) => a + b, 0) / counts.rows;
    assert.ok(Math.abs(taken.json.samples[0].sets[0].slide - mean) < 1e-12);
    const bulk = readCaseExpression(Deno.readTextFileSync(`${folder}/taken/expression.csv`), "expression.csv");
    assert.deepEqual(bulk.genes, genes);
    assert.deepEqual([...bulk.cases.keys()], slides.rows.map((row) => row.case));

    // The same again is there; another set of files, or a set of no gene, is said.
    assert.match((await run("taken", "--map-genes", ...aliases)).err, /scores\.json: is there/);
    Deno.writeTextFileSync(gmt, "EMPTY\tx\tNOTHING\n");
    const other = await seal("convert", "scores", data, "--gene-sets", gmt, "--out", `${folder}/taken`);
    assert.equal(other.code, 2, other.err);
    const empty = await seal("convert", "scores", data, "--gene-sets", gmt, "--out", `${folder}/empty`);
    assert.equal(empty.code, 3, empty.err);
    assert.match(empty.err, /without score: EMPTY in/);
  });
});
