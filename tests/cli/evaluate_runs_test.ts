/**
 * `evaluate --run`: the frozen encoder beside runs of all methods, on donors that none was trained on.
 *
 * @seconds 40
 */

import assert from "node:assert/strict";
import { heldOutFolds } from "../../src/eval/bench/folds.ts";
import { trainedSamples } from "../../src/run/evaluate_runs.ts";
import { disk } from "../../src/io/fs.ts";
import { ended, launched } from "./command.ts";

const folder = Deno.makeTempDirSync({ prefix: "evaluate_runs_" });
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

const main = async (...words: string[]) => await ended((await launched(words)).output());
const encoder = new URL("../../data/demo/encoder", import.meta.url).pathname;
const data = `${folder}/hest`;
const HELD = ["SYN3", "SYN4"];

async function runs(): Promise<void> {
  const all = async (...lines: string[][]) => {
    for (const words of lines) {
      const { code, err } = await main(...words);
      assert.ok(code === 0, `${words.slice(0, 3).join(" ")}: ${err}`);
    }
  };
  const rna = ["sample", ..."01234"].map((name, i) => (i === 0 ? name : `SYN${name}`)).join("\t");
  disk.write(
    `${folder}/rna.tsv`,
    [rna, ...[..."abcd"].map((gene, g) => [gene, 1, 3, 5, g, 2].join("\t"))].join("\n") + "\n",
  );
  const parts = [..."01234"].map((i) => `SYN${i}\tSYN${i}\t${HELD.includes(`SYN${i}`) ? "test" : "train"}`);
  disk.write(`${folder}/slides.tsv`, ["slide_id\tcase_id\tfold_0", ...parts].join("\n") + "\n");
  const held = `holdout_samples=[${HELD.join(",")}]`;
  const bulk = [
    `expression=${folder}/rna.tsv`,
    `slides=${folder}/slides.tsv`,
    "steps=2",
    "batch_size=3",
    "tiles=4",
    "lr=1e-9",
  ];
  await all(
    ["synth", "--quiet", "--profile", "smoke", "--slides", "5", "--rows", "4", "--cols", "6", "--out", data],
    ["embed", data, "--quiet", "--encoder", encoder, "--out", `${folder}/features`],
    [
      "train",
      "--quiet",
      `data=${data}`,
      `encoder=${encoder}`,
      held,
      "steps=1",
      "batch_size=6",
      "n_train_genes=20",
      "panel_genes=5",
      "cache_views=1",
      "--out",
      `${folder}/seal`,
    ],
    [
      ...[
        "train",
        "--quiet",
        "method=spade",
        "--features",
        `${folder}/features`,
        "--data",
        data,
        held,
        "fine=2",
        "coarse=2",
      ],
      ...["width=4", "batch_size=6", "epochs=1", "n_train_genes=20", "panel_genes=5", "curve=[]", "controls=single"],
      ...["--out", `${folder}/spade`],
    ],
    [
      "train",
      "--quiet",
      "method=bulk",
      "--features",
      `${folder}/features`,
      ...bulk,
      "hidden=4",
      "--out",
      `${folder}/bulk`,
    ],
    [
      "train",
      "--quiet",
      "method=bulk",
      "train=encoder",
      `encoder=${encoder}`,
      `patches=${data}`,
      ...bulk,
      "--out",
      `${folder}/direct`,
      "arms=direct",
    ],
  );
}

Deno.test("one command puts the encoder, SEAL, SPADE and both arms of bulk RNA side by side on donors none was trained on", async () => {
  await runs();
  const names = ["seal", "spade", "bulk", "direct"];
  assert.deepEqual([...trainedSamples(names.map((name) => `${folder}/${name}`))].sort(), ["SYN0", "SYN1", "SYN2"]);
  const args = ["evaluate", "--data", data, "--encoder", encoder, "--panel-genes", "5", "--json"];
  const asked = names.flatMap((name) => ["--run", `${folder}/${name}`]);
  const found = await main(...args, ...asked, "--out", `${folder}/found`);
  assert.ok(found.code === 0 || found.code === 3, found.err);
  const json = JSON.parse(found.out);
  assert.deepEqual(json.failures, []);
  const hash = "[0-9a-f]{12}";
  const said = new RegExp(
    `^encoder encoder, ${hash} and seal \\(seal\\), ${hash} and .*; genes ${hash}, split ${hash} \\(SHA-256\\); .*, buffers of \\d+ MiB, bindings of \\d+ MiB at most$`,
  );
  assert.match(json.made_of, said);
  assert.ok(found.err.includes(`Made of: ${json.made_of}`), found.err);
  const encoders: readonly { readonly name: string; readonly average: { readonly pearson: number } }[] = json.encoders;
  assert.deepEqual(encoders.map(({ name }) => name), [
    ...["encoder", "seal (seal)", "spade (spade routed)", "spade (spade concat)", "bulk (bulk contrastive)"],
    ...["bulk (bulk direct)", "direct (bulk)"],
  ]);
  assert.deepEqual(json.tasks[0].folds, [{ name: "held out", train: ["SYN0", "SYN1", "SYN2"], test: HELD }]);
  const comparisons: readonly { readonly a: string; readonly b: string; readonly interval: unknown }[] =
    json.comparisons;
  assert.ok(comparisons.every(({ a, interval }) => a === "encoder" && interval !== null));
  assert.equal(new Set(comparisons.map(({ b }) => b)).size, encoders.length - 1);
  // Arms that trained at no rate say what the encoder says.
  const [base, direct] = [0, 5].map((i) => encoders[i]!.average.pearson) as [number, number];
  assert.ok(Math.abs(base - direct) < 1e-4, `${base} and ${direct}`);

  const cut = await main(...args, ...asked, "--out", `${folder}/cut`, "--leave-out", "sample");
  assert.deepEqual([cut.code, /Cannot use --leave-out with --run/.test(cut.err)], [2, true], cut.err);
  Deno.removeSync(`${folder}/seal/run.json`);
  const open = await main(...args, ...asked, "--out", `${folder}/open`);
  assert.equal(open.code, 2, open.err);
  assert.match(open.err, /seal\/run\.json does not say which samples it was trained on/);
});

Deno.test("folds of runs: the donors that none trained on, each by itself where there are five; none left is refused", () => {
  const infos = Array.from({ length: 9 }, (_, i) => ({ id: `S${i}`, dataset: "d", patient: `p${Math.floor(i / 2)}` }));
  // The other section of a donor that was trained on is not tested.
  const [fold, ...more] = heldOutFolds(infos, new Set(["S0", "S2"]));
  assert.deepEqual([fold!.train, fold!.test, more.length], [["S0", "S2"], ["S4", "S5", "S6", "S7", "S8"], 0]);
  const many = Array.from({ length: 7 }, (_, i) => ({ id: `S${i}`, dataset: "d", patient: `p${i}` }));
  assert.deepEqual(
    heldOutFolds(many, new Set(["S0", "S1"])).map(({ train, test }) => [train.length, ...test]),
    ["S2", "S3", "S4", "S5", "S6"].map((id) => [2, id]),
  );
  assert.throws(() => heldOutFolds(many, new Set(many.map(({ id }) => id))), /trained on samples of every donor/);
  assert.throws(() => heldOutFolds(many, new Set(["T"])), /trained on none of them/);
});
