import assert from "node:assert/strict";
import { planSynth } from "../../../src/data/synth/plan.ts";
import { writeSynth } from "../../../src/data/synth/write.ts";
import { disk } from "../../../src/io/fs.ts";
import { H5ad } from "../../../src/io/hdf5/h5ad.ts";
import { loadMatrix } from "../../../src/data/sample.ts";
import { decodeImage } from "../../../src/io/image/image.ts";
import { openPatches } from "../../../src/io/patches.ts";
import { toDense } from "../../../src/data/matrix.ts";
import { readEvidence } from "../../../src/report/evidence_read.ts";
import { inFolder, seal } from "../../cli/shared.ts";

const ENCODER = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=224&seed=3";
const SETTINGS = ["n_train_genes=120", "batch_size=36", "cache_views=1", "log_every=1"];

async function train(data: string, out: string, ...more: string[]) {
  const result = await seal(
    "train",
    ...["--data", data, "--encoder", ENCODER, "--out", out, "--json"],
    ...SETTINGS,
    ...more,
  );
  assert.deepEqual(result.code, 0, result.err);
  return { ...result, json: JSON.parse(result.out) };
}

async function makeData(folder: string): Promise<void> {
  await writeSynth(disk, folder, planSynth({ profile: "smoke" }), {
    makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
  });
}

function near(found: number, wanted: number, within: number, what?: string): void {
  assert(Math.abs(found - wanted) <= within, `${what ?? ""} ${found} is ${wanted} within ${within}`);
}

/** Correlation in plain loops.
 *
 * @seconds 23
 */
function correlation(a: readonly number[], b: readonly number[]): number {
  const [ma, mb] = [a, b].map((x) => x.reduce((s, v) => s + v, 0) / x.length) as [number, number];
  const dot = (x: readonly number[], mx: number, y: readonly number[], my: number) =>
    x.reduce((s, v, i) => s + (v - mx) * (y[i]! - my), 0);
  return dot(a, ma, b, mb) / Math.sqrt(dot(a, ma, a, ma) * dot(b, mb, b, mb));
}

/** Places of nulls and of values that are not finite, without a reason beside them. */
function unexplained(value: unknown, path = ""): string[] {
  if (typeof value === "number") return Number.isFinite(value) ? [] : [path];
  if (typeof value !== "object" || value === null) return [];
  const { reason, note } = value as { reason?: unknown; note?: unknown };
  return Object.entries(value).flatMap(([key, inner]) =>
    inner === null && reason === undefined && note === undefined
      ? [`${path}.${key}`]
      : unexplained(inner, `${path}.${key}`)
  );
}

function filesBelow(folder: string, path = ""): string[] {
  return [...Deno.readDirSync(`${folder}/${path}`)].sort((a, b) => (a.name < b.name ? -1 : 1)).flatMap((entry) =>
    entry.isDirectory ? filesBelow(folder, `${path}${entry.name}/`) : [`${path}${entry.name}`]
  );
}

Deno.test("evidence of a run: the best checkpoint, real numbers, the same bytes again", async (t) => {
  await inFolder(async (folder) => {
    const data = `${folder}/data`;
    await makeData(data);
    const settings = ["holdout_samples=SYN3", "epochs=4", "img_lr=1e-2", "gene_lr=1e-2"];
    const [first] = await Promise.all([
      train(data, `${folder}/a`, ...settings),
      train(data, `${folder}/b`, ...settings),
    ]);
    // The log's correlation is the decoder's, the result's the probe's: both are named.
    assert.match(
      first.err,
      /^Epoch 1, held out: r within sections of the image decoder -?\d\.\d{3}, recall_at_1_i2g /m,
    );
    assert.match(first.err, /^probe: r within sections, depth-normalised +-?\d\.\d{3} /m);
    const run = `${folder}/a`;
    const evidence = await readEvidence({ path: run, disk });
    assert.deepEqual([evidence.errors, evidence.missing], [[], {}]);
    const { facts, results, maps, gallery, embedding } = evidence;
    const frozen = results!.encoders.find(({ role }) => role === "before")!;
    const tuned = results!.encoders.find(({ role }) => role === "after")!;

    await t.step("two runs leave the same bytes, but for times", () => {
      const files = filesBelow(`${run}/evaluation`);
      assert(files.length > 8);
      assert.deepEqual(filesBelow(`${folder}/b/evaluation`), files);
      for (const file of files) {
        const [a, b] = ["a", "b"].map((one) => Deno.readFileSync(`${folder}/${one}/evaluation/${file}`));
        assert.deepEqual(a, b, file);
      }
      const [a, b] = ["a", "b"].map((one) => {
        const { started: _, seconds: __, times: ___, command, ...rest } = JSON.parse(
          Deno.readTextFileSync(`${folder}/${one}/run.json`),
        );
        assert.match(rest.arithmetic["exp of -80 to 80"], /^within [\d.e+]+ ulp, /);
        return { ...rest, command: command.replace(`/${one} `, " ") };
      });
      assert.deepEqual(a, b);
    });

    await t.step("what is judged is the best checkpoint", () => {
      const rows = Deno.readTextFileSync(`${run}/metrics.jsonl`).trim().split("\n").map((line) => JSON.parse(line))
        .filter(({ split }) => split !== "train");
      const best = rows.reduce((a, b) => (b.pearson_mean > a.pearson_mean ? b : a));
      const last = rows.at(-1);
      assert.deepEqual(facts!.best_step, best.step);
      assert.deepEqual(first.json.best_step, best.step);
      const joint = tuned.retrieval!.filter(({ space, scope }) => space === "joint space" && scope === "within slides");
      for (const { direction, recall } of joint) {
        for (const k of [1, 5, 10]) {
          near(recall.find((one) => one.k === k)!.value!, best[`recall_at_${k}_${direction}`], 1e-12);
        }
      }
      const told = results!.notes!.some(({ text }) => text.includes("was chosen by pearson_mean"));
      assert.deepEqual(told, best.step !== last.step);
    });

    await t.step("maps hold counts of the data and the predictions that were scored", async () => {
      const [map] = maps!;
      const file = await H5ad.open(disk.open(`${data}/st/SYN3.h5ad`, "read"));
      const counts = toDense(loadMatrix(file.x));
      const spots = new Map(file.obs.index.map((name, i) => [name, i]));
      const genes = new Map(file.var.index.map((name, i) => [name.toUpperCase(), i]));
      const controls = file.var.index.map((name) => /blank|control/i.test(name));
      const places = file.spatial();
      file.close();
      const [rows, columns] = [map!.barcodes.length, map!.genes.length];
      assert(rows > 20 && columns > 10);
      for (let i = 0; i < rows; i++) {
        const spot = spots.get(map!.barcodes[i]!)!;
        assert.deepEqual([map!.spatial[2 * i], map!.spatial[2 * i + 1]], [places[2 * spot], places[2 * spot + 1]]);
        for (let g = 0; g < columns; g++) {
          const count = counts.data[spot * counts.columns + genes.get(map!.genes[g]!)!]!;
          let total = 0;
          for (let c = 0; c < counts.columns; c++) {
            if (!controls[c]) total += counts.data[spot * counts.columns + c]!;
          }
          near(map!.measured[i * columns + g]!, Math.log1p(count * 1e4 / total), 1e-5);
        }
      }
      const column = (values: Float32Array, g: number) =>
        Array.from({ length: rows }, (_, i) => values[i * columns + g]!);
      for (const { gene, pearson, pearson_per_slide } of tuned.probe!.genes) {
        const g = map!.genes.indexOf(gene);
        near(pearson!, correlation(column(map!.predicted, g), column(map!.measured, g)), 1e-4, gene);
        // With one section held out both are the same; the report has the second everywhere.
        near(pearson_per_slide!, pearson!, 1e-9, gene);
      }
      const level = (values: Float32Array) => values.reduce((a, b) => a + b, 0) / values.length;
      assert(Math.abs(level(map!.predicted) - level(map!.measured)) < 0.5, "predictions have the mean added");
      assert(map!.thumbnail && map!.spot_diameter === 110);
    });

    await t.step("gallery shows the patches of the data, ranks agree with hits", async () => {
      const patches = await openPatches(disk.open(`${data}/patches/SYN3.h5`, "read"));
      for (const query of gallery!.queries) {
        for (const shown of [query, ...query.hits]) {
          const row = patches.barcodes!.indexOf(shown.barcode);
          assert.deepEqual(Uint8Array.from(shown.image.data), Uint8Array.from(patches.read(row, row + 1)));
        }
        const at = query.hits.findIndex(({ correct }) => correct);
        assert.deepEqual(at < 0 ? query.rank > query.hits.length : at + 1 === query.rank, true);
        assert.deepEqual(
          query.hits.map(({ score }) => score),
          query.hits.map(({ score }) => score).sort((a, b) => b - a),
        );
      }
      patches.close();
      assert(decodeImage(Deno.readFileSync(`${run}/evaluation/thumbnails/SYN3.png`), "t").width > 100);
    });

    await t.step("encoder, differences and embeddings belong together", () => {
      const delta = results!.differences!.find(({ metric }) => metric === "pearson")!;
      near(delta.mean, tuned.probe!.pearson.mean! - frozen.probe!.pearson.mean!, 1e-12);
      assert(delta.low! <= delta.mean && delta.mean <= delta.high!);
      assert(frozen.probe!.pearson.mean !== tuned.probe!.pearson.mean, "training changed the features");
      assert.deepEqual(embedding!.panels.map(({ x }) => x.length), [136, 136]);
      assert(embedding!.panels[0]!.x.some((x, i) => x !== embedding!.panels[1]!.x[i]));
      assert.deepEqual(facts!.data!.samples.map(({ split }) => split), ["train", "train", "train", "test"]);
      assert.deepEqual(facts!.stages, [{ name: "alignment", from: 0, to: 12 }]);
      const spent = facts!.times!.reduce((sum, { seconds }) => sum + seconds, 0);
      assert(spent > 0.5 * facts!.seconds! && spent <= facts!.seconds!, `${spent} of ${facts!.seconds}`);
      assert.deepEqual(unexplained(results), []);
    });

    await t.step(
      "beside the headline stand the benchmark, depth alone and the mean, each with truth, penalty and panel",
      () => {
        const ids = results!.encoders.map(({ id }) => id);
        assert.deepEqual(ids, ["frozen", "seal", "decoder", "colour", "depth", "mean"]);
        for (const { id, probe, benchmark } of results!.encoders.filter(({ id }) => !/decoder|mean/.test(id))) {
          assert.deepEqual([probe!.protocol, benchmark!.protocol], ["depth-cv/1", "hest-bench/1"], id);
          assert.match(probe!.penalty!, /cross-validated over 3 training donors/);
          assert.deepEqual([probe!.truth, benchmark!.truth], [
            "ln(1 + counts per 10,000)",
            "ln(1 + count), not normalised by depth",
          ]);
          assert.deepEqual(probe!.donors!.map(({ kind, donors, sections }) => [kind, donors, sections]), [[
            "unseen",
            1,
            1,
          ]]);
          assert.equal(probe!.genes.length, benchmark!.genes.length);
        }
        const [mean] = results!.encoders.slice(-1);
        assert(mean!.probe!.pearson.mean === null && mean!.probe!.r2!.mean! <= 0);
        const slides = results!.differences!.find(({ metric }) => metric === "pearson_per_slide")!;
        assert.deepEqual([slides.low, slides.reason], [undefined, "1 section, an interval takes 5"]);
        assert(results!.checks!.every(({ passed }) => passed !== null));
      },
    );

    await t.step("the oracle bounds the encoders and the report is there", () => {
      const oracles = results!.references!.filter(({ kind }) => kind === "oracle");
      assert(oracles.every(({ recall_at_10 }) => recall_at_10! > 0.6), "true fields find their spot");
      assert.deepEqual(facts!.adapter!.rank > 0, true);
      assert(Deno.statSync(`${run}/report.html`).size < 5e6);
    });
  });
});

Deno.test("evidence of a run without held-out samples says so and finishes", async () => {
  await inFolder(async (folder) => {
    await makeData(`${folder}/data`);
    const { err } = await train(`${folder}/data`, `${folder}/run`, "holdout_fraction=0", "epochs=1");
    assert(/no sample is held out/.test(err));
    const { facts, results, maps, embedding, errors } = await readEvidence({ path: `${folder}/run`, disk });
    assert.deepEqual([facts!.status, results!.encoders, maps, errors], ["finished", [], undefined, []]);
    assert.deepEqual(embedding!.sample_index.length, 136);
  });
});

Deno.test("sides of two widths train without an alignment and are judged without a joint space", async () => {
  await inFolder(async (folder) => {
    const data = `${folder}/data`;
    await makeData(data);
    const widths = ["gene_model=identity", "lambda_contrast=0", "holdout_samples=SYN3"];
    const run = `${folder}/run`;
    await train(data, run, ...widths, "steps=2");
    const { results, gallery } = await readEvidence({ path: run, disk });
    const tuned = results!.encoders.find(({ role }) => role === "after")!;
    assert.ok(tuned.probe);
    assert.deepEqual(tuned.retrieval!.map(({ space }) => space), ["through the probe"]);
    assert.equal(gallery, undefined);

    const asked = await seal("retrieve", "--run", run, "--out", `${folder}/found`);
    assert.deepEqual(
      [asked.code, /genes and patches are embedded with different widths/.test(asked.err)],
      [4, true],
      asked.err,
    );
    const by = ["--data", data, "--encoder", ENCODER, "--out", `${folder}/by`, ...SETTINGS, ...widths];
    const refused = await seal("train", ...by, "best_metric=recall_at_10_i2g");
    assert.deepEqual([refused.code, /Cannot go by recall_at_10_i2g/.test(refused.err)], [2, true], refused.err);
  });
});
