/** The panel is in the vocabulary, so are the genes asked for, and what nobody measured is named. */

import assert from "node:assert/strict";
import { parseArgs } from "../../../src/cli/args.ts";
import { Progress } from "../../../src/cli/progress.ts";
import { flags } from "../../../src/cli/train.ts";
import { panelOf } from "../../../src/evidence/panel.ts";
import { hostOf } from "../../../src/run/host.ts";
import { openData } from "../../../src/methods/seal/data.ts";
import { SEAL_CONFIG } from "../../../src/methods/seal/config.ts";
import { writeSmallSample } from "../../data/pair_folder.ts";

const root = Deno.makeTempDirSync();
Deno.test.afterAll(() => Deno.removeSync(root, { recursive: true }));

/** Genes G0 to G19: the first ones vary most, the last ones hardly; G19 only one sample has, which writes it g19. */
const GENES = Array.from({ length: 20 }, (_, i) => `G${i}`);
for (const [k, id] of ["S1", "S2", "S3"].entries()) {
  await writeSmallSample(`${root}/data`, {
    id,
    genes: [...GENES.slice(0, 19), ...(id === "S1" ? ["g19"] : [])],
    patient: `P${k}`,
    count: (spot, gene) => 4 + (spot * (k + 3) * (Number(gene.slice(1)) + 7)) % Math.max(2, 20 - Number(gene.slice(1))),
  });
}

const open = async (set: Readonly<Record<string, string>>) => {
  const given = Object.entries({ data: `${root}/data`, holdout_fraction: "0", n_train_genes: "6", ...set });
  const { config } = SEAL_CONFIG.read([], given);
  const opened = await openData(config, hostOf(new Progress(true)));
  return { set: opened, panel: panelOf(config, opened), config };
};

Deno.test("a panel of a file is in the vocabulary; what no sample measured is named", async () => {
  Deno.writeTextFileSync(`${root}/panel.txt`, "g18\nG19\nERBB2\n");
  const { set, panel } = await open({ panel: `${root}/panel.txt` });
  assert.equal(set.genes, 6);
  assert.deepEqual(panel.genes, ["G18", "G19", "ERBB2"]);
  assert.deepEqual(panel.columns.map((c) => set.vocabulary.genes[c]), ["G18", "G19"]);
  const word = set.warnings.filter((warning) => /no training sample has/.test(warning));
  assert.deepEqual(word, ["1 gene asked for that no training sample has: ERBB2"]);
});

Deno.test("the panel that the rule chooses is in the vocabulary, whatever the vocabulary goes by", async () => {
  for (const set of [{}, { gene_criterion: "heg" }, { panel_genes: "50" }]) {
    const { set: opened, panel } = await open({ panel_genes: "3", ...set });
    assert.ok(panel.genes.length >= 3 && panel.genes.length <= 6);
    assert.equal(panel.columns.length, panel.genes.length);
    assert.equal(opened.genes, 6);
  }
});

Deno.test("of genes that a file names, the panel is chosen among them, and a panel outside is named", async () => {
  Deno.writeTextFileSync(`${root}/genes.txt`, ["G4", "G11", "G12", "G13"].join("\n"));
  const { set, panel } = await open({ gene_list: `${root}/genes.txt`, panel_genes: "2" });
  assert.equal(set.genes, 4);
  assert.deepEqual([panel.genes.length, panel.columns.length], [2, 2]);
  Deno.writeTextFileSync(`${root}/other.txt`, "G4\nG1\n");
  const other = await open({ gene_list: `${root}/genes.txt`, panel: `${root}/other.txt` });
  assert.ok(other.set.warnings.includes("1 gene of the panel that the genes given lack: G1"));
});

Deno.test("--genes-include and genes_include name genes that the vocabulary has", async () => {
  const { flags: values } = parseArgs(flags, ["--genes-include", "g17,G16", "--genes-include", "G15"]);
  assert.deepEqual(values["genes-include"], ["g17,G16", "G15"]);
  const { set } = await open({ genes_include: values["genes-include"].join(","), panel_genes: "1" });
  for (const gene of ["G15", "G16", "G17"]) assert.ok(set.vocabulary.genes.includes(gene), gene);
  assert.equal(set.genes, 6);
  await assert.rejects(open({ genes_include: "G1x" }), /Cannot include G1X: no training sample has any of them/);
  assert.throws(
    () => SEAL_CONFIG.read([], [["genes_include", "A,B"], ["n_train_genes", "1"]]),
    (error: Error & { hint?: string }) =>
      /Cannot include 2 genes/.test(error.message) && error.hint === "n_train_genes=2",
  );
  assert.throws(() => SEAL_CONFIG.read([], [["genes_include", "A"], ["gene_list", "f"]]), /gene_list names the whole/);
});

Deno.test("a gene that held-out samples lack makes room for another, and is named", async () => {
  const { panel } = await open({ holdout_samples: "[S2, S3]", panel_genes: "20", n_train_genes: "20" });
  assert.deepEqual(panel.leftOut, [{ gene: "g19", reason: "S2 lacks it" }]);
  assert.deepEqual([...panel.genes].sort(), GENES.filter((gene) => gene !== "G19").sort());
  const { panel: whole } = await open({ panel_genes: "20", n_train_genes: "20" });
  assert.deepEqual(whole.leftOut, []);
});
