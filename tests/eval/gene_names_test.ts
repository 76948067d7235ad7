/** Genes of an evaluation are named as the data write them, whatever the case of a panel or of other samples. */

import assert from "node:assert/strict";
import { GeneNames } from "../../src/data/genes/genes.ts";
import { dataTask } from "../../src/eval/bench/bench_task.ts";
import { readTaskCounts } from "../../src/eval/bench/hest_bench.ts";
import { disk } from "../../src/io/fs.ts";
import { writeSmallSample } from "../data/pair_folder.ts";

const root = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(root, { recursive: true }));

const NAMES = { S1: ["C1orf53", "EPCAM", "Krt8", "MT1"], S2: ["C1ORF53", "Epcam", "Krt8", "mt1"] } as const;
for (const [k, [id, genes]] of Object.entries(NAMES).entries()) {
  await writeSmallSample(`${root}/data`, {
    id,
    genes: [...genes],
    patient: `P${k}`,
    count: (spot, gene) => 1 + (spot * (k + 3) * gene.length) % 7,
  });
}

Deno.test("panels are matched whatever the case and named as the first sample writes them", async () => {
  const panel = `${root}/panel.json`;
  Deno.writeTextFileSync(panel, JSON.stringify({ genes: ["C1ORF53", "epcam", "KRT8", "Nope"] }));
  const { task, samples } = await readTaskCounts(disk, dataTask(disk, [`${root}/data`], { panel }));
  assert.deepEqual(task.panel!.genes, ["C1orf53", "EPCAM", "Krt8"]);
  assert.deepEqual(task.panel!.leftOut, [{ gene: "Nope", reason: "S1 lacks it" }]);
  for (const { expression } of samples.values()) assert.deepEqual(expression.genes, ["C1orf53", "EPCAM", "Krt8"]);
});

Deno.test("genes that folds choose are those of all samples, one name each", async () => {
  const { panels } = await readTaskCounts(disk, dataTask(disk, [`${root}/data`]), undefined, { panelGenes: 4 });
  for (const { genes } of panels.values()) assert.deepEqual(genes, ["C1orf53", "EPCAM", "Krt8", "MT1"]);
});

Deno.test("names of one sample that differ by case alone stay two genes", () => {
  const names = new GeneNames();
  assert.deepEqual(names.adopt(["Ab", "AB", "c"]), ["Ab", "AB", "c"]);
  assert.deepEqual(names.adopt(["AB", "C"]), ["Ab", "c"]);
  assert.deepEqual(names.adopt(["AB", "Ab"]), ["AB", "Ab"]);
  assert.deepEqual(names.like(["AB", "C", "d"], new Set(["AB"])), ["AB", "c", "d"]);
  assert.deepEqual(names.like(["C", "c"]), ["C", "c"], "no gene twice");
});
