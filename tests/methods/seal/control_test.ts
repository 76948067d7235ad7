/**
 * What stands beside SEAL's gain: the head on the frozen encoder, and what training does to the space of features.
 *
 * @seconds 30
 */

import assert from "node:assert/strict";
import { planSynth } from "../../../src/data/synth/plan.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { disk } from "../../../src/io/fs.ts";
import { readEvidence } from "../../../src/report/evidence_read.ts";
import { inFolder, seal } from "../../cli/shared.ts";

const SETTINGS = [
  "n_train_genes=120",
  "holdout_samples=SYN3",
  "cache_views=2",
  "epochs=2",
  "batch_size=18",
  "batch_samples=one",
  "gene_loss=pcc_genes",
  "gene_centre=true",
  "ema=0.5",
  "control_head=true",
  "probe_neighbours=1.5",
  "copy_sample=SYN1",
  "copy_weight=0.25",
  "eval_every=0",
];

Deno.test("a run with the control has its row and the space before and after, in results and report, twice the same", async () => {
  await inFolder(async (folder) => {
    const data = `${folder}/data`;
    await writeSynth(disk, data, planSynth({ profile: "smoke" }), {
      makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
    });
    const train = async (name: string) => {
      const encoder = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=224&seed=3";
      const out = `${folder}/${name}`;
      const given = ["--data", data, "--encoder", encoder, "--out", out, "--json", ...SETTINGS];
      const result = await seal("train", ...given);
      assert.equal(result.code, 0, result.err);
      const evidence = await readEvidence({ path: out, disk });
      assert.deepEqual([evidence.errors, evidence.missing], [[], {}]);
      return { ...result, out, json: JSON.parse(result.out), results: evidence.results! };
    };
    const one = await train("one");
    const byId = new Map(one.results.encoders.map((encoder) => [encoder.id, encoder]));
    const head = byId.get("head")!;
    assert.equal(head.label, "Head on the frozen encoder");
    assert.match(head.note!, /frozen features of the views that the run draws/);
    assert.ok(head.probe!.genes.some(({ pearson }) => pearson !== null));
    assert.notDeepEqual(head.probe!.pearson, byId.get("decoder")!.probe!.pearson);
    const around = [...byId.keys()].filter((id) => /copy|neighbours/.test(id));
    assert.deepEqual(
      around,
      ["copy", ...["frozen", "seal"].flatMap((id) => [`${id}-copy`, `${id}-neighbours`, `${id}-neighbours-copy`])],
    );
    for (const id of around) {
      const { role, probe, note, features } = byId.get(id)!;
      assert.equal(role, "other");
      assert.ok(probe!.pearson_per_slide!.mean !== null && probe!.genes.length > 0, id);
      assert.match(note!, /SYN1|within 1.5 distances between spots/);
      assert.equal(features, /neighbours$/.test(id) ? 2 * byId.get("frozen")!.features! : undefined);
    }
    // Each has something of its own: neither the copy nor the neighbours leave the prediction as it was.
    const scores = ["frozen", ...around].map((id) => byId.get(id)!.probe!.pearson_per_slide!.mean);
    assert.equal(new Set(scores).size, around.length + 1);
    for (const id of ["frozen", "seal"]) {
      const { space } = byId.get(id)!;
      assert.ok(Math.abs(space!.mean_cosine!) <= 1 && space!.smooth_rank! >= 1 && space!.patches > 100, id);
      assert.match(space!.kinds, /true field/);
      assert.ok(space!.morphology!.kinds.length >= 2);
      assert.equal(one.json.encoders[id].smooth_rank, space!.smooth_rank);
    }
    assert.ok(
      [...byId.values()].every(({ id, space }) => (space !== undefined) === (id === "frozen" || id === "seal")),
    );
    const page = Deno.readTextFileSync(`${one.out}/report.html`);
    for (
      const text of [
        "Head on the frozen encoder",
        "Frozen encoder, neighbours, copy of SYN1",
        "Cosine of two patches",
        "Robustness index",
        "Kind of tissue",
      ]
    ) {
      assert.ok(page.includes(text), text);
    }
    // A loss that fixes no levels leaves prediction to the probe, and says why.
    const facts = JSON.parse(Deno.readTextFileSync(`${one.out}/evaluation/predictors.json`));
    assert.deepEqual([facts.chosen, facts.decoder], ["probe", undefined]);
    assert.match(facts.why, /pcc_genes fixes no levels/);
    const two = await train("two");
    assert.deepEqual(two.results.encoders, one.results.encoders);
    const predicted = await seal(
      "predict",
      "--run",
      one.out,
      "--data",
      data,
      "--out",
      `${folder}/p`,
      "--samples",
      "SYN3",
    );
    assert.equal(predicted.code, 0, predicted.err);
    const forced = await seal(
      "predict",
      ...["--run", one.out, "--data", data, "--out", `${folder}/q`, "--samples", "SYN3", "--with", "decoder"],
    );
    assert.equal(forced.code, 2, forced.err);
    assert.match(forced.err, /Cannot predict with the image decoder: pcc_genes fixes no levels/);
    const wrong = await seal(
      "train",
      ...["--data", data, "--encoder", "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=224&seed=3"],
      ...["--out", `${folder}/wrong`, ...SETTINGS, "batch_size=40"],
    );
    assert.equal(wrong.code, 2, wrong.err);
    assert.match(wrong.err, /Cannot make batches of one sample: SYN\d has 36 pairs, batch_size is 40/);
    for (
      const [from, why] of [
        ["SYN3", /Cannot copy from SYN3: it is held out, wanted a training section/],
        ["SYN9", /Cannot copy from training section SYN9/],
      ] as const
    ) {
      const refused = await seal(
        "train",
        ...["--data", data, "--encoder", "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=224&seed=3"],
        ...["--out", `${folder}/refused`, ...SETTINGS, `copy_sample=${from}`],
      );
      assert.equal(refused.code, 2, refused.err);
      assert.match(refused.err, why);
    }
  });
});
