/**
 * `retrieve` and `predict` with a run that was really trained: retrieval is what training measured, predictions are what the
 * adapter's features and the decoder's formula give.
 *
 * @seconds 30
 */

import assert from "node:assert/strict";
import { openFeatures } from "../../../src/io/features.ts";
import { disk } from "../../../src/io/fs.ts";
import { H5File } from "../../../src/io/hdf5/h5.ts";
import { H5ad } from "../../../src/io/hdf5/h5ad.ts";
import type { UnsArray, UnsTree } from "../../../src/io/hdf5/h5ad_uns.ts";
import { lockFile, lockFolder } from "../../../src/io/lock.ts";
import { decodePng } from "../../../src/io/image/png.ts";
import { encodePng } from "../../../src/io/image/png_write.ts";
import { readSafetensorsF32 } from "../../../src/io/torch/safetensors.ts";
import { toDense } from "../../../src/io/sparse.ts";
import { readTree } from "../../../src/io/hdf5/h5ad_uns.ts";
import { FIXTURES, inFolder, seal } from "../../cli/shared.ts";

const ENCODER = `${FIXTURES}encoders/vit_small`;
const OTHER = "random:vit_small_patch16_224?dim=48&depth=2&heads=3&seed=1";
const GENES = 60;

async function done(...args: string[]): Promise<{ out: string; err: string }> {
  const { code, out, err } = await seal(...args);
  assert.equal(code, 0, `${args.join(" ")}\n${err}`);
  return { out, err };
}

const json = (path: string) => JSON.parse(Deno.readTextFileSync(path));

async function expression(
  path: string,
): Promise<{ x: Float32Array; names: readonly string[]; genes: readonly string[] }> {
  using file = await H5ad.open(disk.open(path, "read"));
  const rows = file.obs.index.length;
  return { x: toDense(file.x.read(0, rows), GENES), names: file.obs.index, genes: file.var.index };
}

/** relu(W2 relu(W1 z + b1) + b2) of each row. */
function decode(features: Float64Array, width: number, heads: ReadonlyMap<string, { data: Float32Array }>): number[] {
  const get = (name: string) => heads.get(`decoder.decoder.${name}`)!.data;
  const layer = (z: readonly number[], n: number): number[] =>
    Array.from(get(`${n}.bias`), (bias, j) => {
      const weight = get(`${n}.weight`).subarray(j * z.length, (j + 1) * z.length);
      return Math.max(0, z.reduce((sum, value, i) => sum + value * weight[i]!, bias));
    });
  return Array.from(
    { length: features.length / width },
    (_, row) => layer(layer([...features.subarray(row * width, (row + 1) * width)], 0), 3),
  ).flat();
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

/** Bytes of the files of a folder, by name; folders are left out. */
const bytes = (folder: string) =>
  names(folder).filter((name) => Deno.statSync(`${folder}/${name}`).isFile).map((name) =>
    [name, Deno.readFileSync(`${folder}/${name}`)] as const
  );

/** Given again: done, gone on with after a kill, refused with other settings, or over what another program made. */
async function retrievedAgain(out: string, args: readonly string[], genes: string): Promise<void> {
  const whole = bytes(out);
  const kept = await seal(...args, "--genes", genes);
  assert.deepEqual([kept.code, kept.err.trim().split("\n").at(-1)], [0, `${out}/retrieval.json: is there`]);
  assert.deepEqual(bytes(out), whole);
  const other = await seal(...args, "--genes", genes, "--pool", "slide");
  assert.equal(other.code, 2, other.err);
  assert.match(other.err, /\(--pool all, now slide\)/);
  const unknown = await seal(...args, "--genes", "NOSUCHGENE", "--overwrite", "--software");
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /^ConfigError: Cannot query NOSUCHGENE/);
  // Killed between its files: the result is missing, what is begun is said.
  const result = json(`${out}/retrieval.json`);
  const { status: _, ...made } = result.made;
  const killed = () => {
    Deno.writeTextFileSync(`${out}/retrieve.partial.json`, JSON.stringify({ command: "retrieve", made }));
    for (const name of ["retrieval.json", "gallery.html"]) Deno.removeSync(`${out}/${name}`);
  };
  killed();
  const begun = await seal(...args, "--genes", genes, "--pool", "slide");
  assert.equal(begun.code, 2, begun.err);
  await done(...args, "--genes", genes);
  assert.deepEqual(bytes(out), whole);
  // Another program's files of these names, and links.
  killed();
  Deno.removeSync(`${out}/retrieve.partial.json`);
  Deno.writeTextFileSync(`${out}/gallery.html`, "mine");
  const foreign = await seal(...args, "--genes", genes);
  assert.equal(foreign.code, 2, foreign.err);
  assert.equal(Deno.readTextFileSync(`${out}/gallery.html`), "mine");
  Deno.renameSync(`${out}/gallery.html`, `${out}/mine`);
  Deno.symlinkSync("mine", `${out}/gallery.html`);
  await done(...args, "--genes", genes, "--overwrite", "--embeddings");
  assert.equal(Deno.readTextFileSync(`${out}/mine`), "mine");
  assert.deepEqual(names(out), ["embeddings", "gallery.html", "gallery.png", "mine", "retrieval.json"]);
  await recallOf(out, json(`${out}/retrieval.json`));
  using _held = lockFolder(out, "retrieve");
  const second = await seal(...args, "--genes", genes, "--embeddings");
  assert.equal(second.code, 2);
  assert.ok(second.err.includes(`process ${Deno.pid}`), second.err);
}

/** Recall by the exported embeddings is the recall that is told. */
async function recallOf(
  out: string,
  result: { samples: { sample: string }[]; across_slides: Record<string, { recall: Record<string, number> }> },
) {
  const sides = await Promise.all(["image", "gene"].map(async (side) => {
    const rows: { barcode: string; row: Float32Array }[] = [];
    for (const { sample } of result.samples) {
      const file = await openFeatures(disk.open(`${out}/embeddings/${side}/${sample}.h5`, "read"));
      const all = await file.read();
      file.barcodes!.forEach((barcode, i) => rows.push({ barcode, row: all.slice(i * file.dim, (i + 1) * file.dim) }));
      file.close();
    }
    return rows;
  }));
  const [image, gene] = sides as [typeof sides[0], typeof sides[0]];
  assert.deepEqual(image!.map(({ barcode }) => barcode), gene!.map(({ barcode }) => barcode));
  const cosine = (a: Float32Array, b: Float32Array) => {
    const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  };
  const ranks = image!.map(({ row }, i) => {
    const scores = gene!.map((other) => cosine(row, other.row));
    return scores.filter((score) => score > scores[i]! + 1e-9).length;
  });
  const recall = ranks.filter((rank) => rank < 5).length / ranks.length;
  assert.ok(Math.abs(recall - result.across_slides["image_to_gene"]!.recall["5"]!) <= 1 / ranks.length);
}

async function predictedAgain(folder: string, out: string, args: readonly string[]): Promise<void> {
  const whole = bytes(out);
  await done(...args, "--out", out);
  assert.deepEqual(bytes(out), whole);
  Deno.removeSync(`${out}/SYN1.h5ad`);
  await done(...args, "--out", out);
  assert.deepEqual(bytes(out), whole);
  const other = await seal(...args, "--out", out, "--precision", "f16");
  assert.equal(other.code, 2, other.err);
  assert.match(other.err, /SYN0\.h5ad: it was made with other inputs or settings \(--precision not given, now f16\)/);
  Deno.mkdirSync(`${folder}/foreign`);
  Deno.writeTextFileSync(`${folder}/foreign/SYN0.h5ad`, "mine");
  const foreign = await seal(...args, "--out", `${folder}/foreign`);
  assert.equal(foreign.code, 2);
  assert.equal(Deno.readTextFileSync(`${folder}/foreign/SYN0.h5ad`), "mine");
  using _held = lockFile(`${folder}/foreign/SYN1.h5ad`, "predict");
  const second = await seal(...args, "--samples", "SYN1", "--out", `${folder}/foreign`);
  assert.equal(second.code, 2);
  assert.ok(second.err.includes(`process ${Deno.pid}`), second.err);
}

/** By default the source that training donors prefer predicts, and what is known of both is said and stored. */
async function predictedByProbe(
  folder: string,
  { run, data, z, genes }: { run: string; data: string; z: Float64Array; genes: readonly string[] },
): Promise<void> {
  const known = json(`${run}/evaluation/predictors.json`);
  const args = ["predict", "--run", run, "--data", data, "--samples", "SYN0"];
  const out = `${folder}/by_choice`;
  const { err } = await done(...args, "--out", out);
  assert.match(err, known.chosen === "probe" ? /Predicting with the linear probe/ : /with the image decoder/);
  assert.match(err, /probe: held back -?\d\.\d+, fitted -?\d\.\d+ \(\d training/);
  assert.match(err, /decoder: held back .*estimated: it was trained on all training sections/);
  // The probe's own map of the adapter's features.
  const probe = readSafetensorsF32(Deno.readFileSync(`${run}/evaluation/probe.safetensors`), "probe").tensors;
  const [weight, bias] = [probe.get("weight")!.data, probe.get("bias")!.data];
  const forced = `${folder}/by_probe`;
  await done(...args, "--with", "probe", "--out", forced, "--quiet");
  const { x, names, genes: columns } = await expression(`${forced}/SYN0.h5ad`);
  assert.deepEqual(columns, genes);
  const width = z.length / names.length;
  let worst = 0;
  for (let i = 0; i < names.length; i++) {
    for (let g = 0; g < genes.length; g++) {
      let sum = bias[g]!;
      for (let j = 0; j < width; j++) sum += weight[g * width + j]! * z[i * width + j]!;
      worst = Math.max(worst, Math.abs(sum - x[i * genes.length + g]!));
    }
  }
  assert.ok(worst < 1e-4, `${worst}`);
  using file = await H5File.open(disk.open(`${forced}/SYN0.h5ad`, "read"));
  const uns = readTree(file, "/uns/seal");
  assert.deepEqual([uns["predicted_by"], uns["predicted_why"]], ["linear probe", "asked for"]);
  assert.deepEqual([uns["probe_r_held_back"], uns["decoder_r_fitted"]], [known.probe.held_back, known.decoder.fitted]);
  assert.equal(uns["probe_alpha"], known.probe.alpha);
  // A damaged probe, a probe of another step, a run that has none: refused, or the decoder with a word.
  const files = ["probe.safetensors", "predictors.json"].map((name) => `${run}/evaluation/${name}`) as [string, string];
  const [bytes, facts] = files.map((path) => Deno.readFileSync(path)) as [Uint8Array, Uint8Array];
  Deno.writeFileSync(files[0], bytes.subarray(0, bytes.length - 9));
  const cut = await seal(...args, "--with", "probe", "--out", `${folder}/cut`);
  assert.equal(cut.code, 4, cut.err);
  assert.match(cut.err, /probe\.safetensors/);
  Deno.writeFileSync(files[0], bytes);
  Deno.writeTextFileSync(files[1], JSON.stringify({ ...known, chosen: "decoder" }));
  const changed = await seal(...args, "--out", `${folder}/cut`);
  assert.equal(changed.code, 4, changed.err);
  assert.match(changed.err, /predictors\.json: .*it was changed or damaged/);
  // As in runs without checksums: the content itself is looked at.
  const manifest = `${run}/manifest.json`;
  const sums = Deno.readFileSync(manifest);
  Deno.removeSync(manifest);
  Deno.writeTextFileSync(files[1], JSON.stringify({ ...known, step: known.step + 1 }));
  const other = await seal(...args, "--with", "probe", "--out", `${folder}/cut`);
  assert.equal(other.code, 2, other.err);
  assert.match(other.err, /the probe of .* is of step \d+, the checkpoint of step \d+/);
  Deno.writeTextFileSync(files[1], JSON.stringify({ ...known, chosen: "luck" }));
  const strange = await seal(...args, "--out", `${folder}/cut`);
  assert.equal(strange.code, 4, strange.err);
  assert.match(strange.err, /predictors\.json: chosen is "luck", expected decoder or probe/);
  Deno.removeSync(files[1]);
  const old = await done(...args, "--out", `${folder}/old`);
  assert.match(old.err, /image decoder: .* was trained before runs kept a probe; how well it does .* is not known/);
  Deno.writeFileSync(files[1], facts);
  Deno.writeFileSync(manifest, sums);
}

/** Slides have the grid, the tissue and the states that `embed` gives them. */
async function predictedLikeEmbedded(
  folder: string,
  { run, data, predicted }: { run: string; data: string; predicted: string },
): Promise<void> {
  const state = (name: string) => json(`${predicted}/wsi_states/${name}.json`);
  assert.deepEqual([state("SYN1").status, state("none").status], ["done", "failed"]);
  assert.match(state("none").reason, /none\.tif/);
  const summary = Deno.readTextFileSync(`${predicted}/summary.md`);
  assert.match(summary, /2 slides: 1 done, 1 failed/);
  assert.match(summary, /licence of its weights/);
  assert.ok(json(`${predicted}/SYN1.grid.tissue.geojson`).features.length > 0);
  // 112 µm, where nothing is said, as embed's.
  const [out, blank] = [`${folder}/like`, `${folder}/blank ü.png`];
  const white = { width: 400, height: 300, data: new Uint8Array(360_000).fill(243) };
  Deno.writeFileSync(blank, encodePng(white));
  const slides = ["--slide", `${data}/wsis/SYN1.tif`, "--slide", blank, "--pixel-size", "0.5"];
  const args = ["predict", "--run", run, ...slides, "--out", out, "--json", "--quiet"];
  const first = await seal(...args);
  assert.equal(first.code, 3, first.err);
  const statuses = (text: string) => JSON.parse(text).outputs.map(({ status }: { status: string }) => status);
  assert.deepEqual(statuses(first.out), ["done", "empty"]);
  assert.match(Deno.readTextFileSync(`${out}/summary.md`), /\| blank ü \| empty \| 0 \| 0 \| no tile lies on tissue/);
  const job = `${folder}/like_job`;
  const embed = ["embed", `${data}/wsis/SYN1.tif`, "--job", job, "--encoder", OTHER, "--mpp", "0.5"];
  await done(...embed, "--quiet");
  using patches = await H5File.open(
    disk.open(`${job}/112um_224px_0um_overlap/patches/SYN1_patches.h5`, "read"),
  );
  using table = await H5ad.open(disk.open(`${out}/SYN1.grid.h5ad`, "read"));
  const corners = [...patches.numbers("/coords")];
  assert.deepEqual([...table.spatial()].map((centre) => centre - 112), corners);
  const { facts } = json(`${job}/wsi_states/SYN1.json`);
  const { damaged: _, ...same } = facts;
  assert.deepEqual(json(`${out}/wsi_states/SYN1.json`).facts, same);
  // Given again: as before, and a state that a kill kept from being written is.
  Deno.removeSync(`${out}/wsi_states/blank ü.json`);
  const again = await seal(...args);
  assert.deepEqual([again.code, statuses(again.out)], [3, ["done", "empty"]], again.err);
  assert.equal(json(`${out}/wsi_states/blank ü.json`).status, "empty");
}

Deno.test("retrieve and predict with a trained run", async () => {
  await inFolder(async (folder) => {
    const [data, run] = [`${folder}/data`, `${folder}/run`];
    const small = ["--profile", "smoke", "--slides", "3", "--rows", "4", "--cols", "10", "--wsi"];
    await done("synth", ...small, "--out", data, "--quiet");
    const settings = ["optim.epochs=1", "optim.batch_size=16", `n_train_genes=${GENES}`, "projection_head=linear"];
    // Where the encoder is now need not be where it will be.
    const weights = `${folder}/vit_small`;
    Deno.mkdirSync(weights);
    for (const name of names(ENCODER)) Deno.copyFileSync(`${ENCODER}/${name}`, `${weights}/${name}`);
    await done("train", "--data", data, "--encoder", weights, "--out", run, "--quiet", "cache=off", ...settings);

    // On what the run held out, by default: the very numbers training logged.
    const out = `${folder}/retrieval`;
    const retrieve = ["retrieve", "--run", run, "--checkpoint", "last", "--at", "1,5,10", "--out", out];
    const genes = json(`${run}/checkpoints/last/genes.json`).genes as string[];
    const { err } = await done(...retrieve, "--genes", `${genes[3]}+3,${genes[5]}`, "--queries", "3", "--shown", "4");
    assert.match(err, /within slides, gene to image/);
    const logged = Deno.readTextFileSync(`${run}/metrics.jsonl`).trim().split("\n").map((line) => JSON.parse(line));
    const last = logged.findLast(({ recall_at_5_g2i }) => recall_at_5_g2i !== undefined);
    const result = json(`${out}/retrieval.json`);
    for (const [way, short] of [["image_to_gene", "i2g"], ["gene_to_image", "g2i"]]) {
      for (const k of [1, 5, 10]) {
        assert.equal(result.within_slides.mean[way!].recall[k], last[`recall_at_${k}_${short}`], `${way} @${k}`);
      }
    }
    assert.equal(result.gene_queries[0].raised[0].gene, genes[3]);
    assert.equal(result.gene_queries[0].found.length, 4);
    const image = decodePng(Deno.readFileSync(`${out}/gallery.png`), "gallery.png");
    assert.ok((await image).width > 400);
    assert.match(Deno.readTextFileSync(`${out}/gallery.html`), /Gene-set queries/);
    // The run held out sections of a donor that it was not trained on.
    const kinds = json(`${out}/retrieval.json`).donors;
    assert.deepEqual(Object.keys(kinds), ["unseen"]);
    assert.match(err, /^unseen donors: 1 section \(/m);
    await retrievedAgain(out, [...retrieve, "--queries", "3", "--shown", "4"], `${genes[3]}+3,${genes[5]}`);

    assert.match(err, /gallery\.html/);

    // A slide that no grid can be laid over is refused before the encoder is read.
    const unscaled = await seal(
      "predict",
      "--run",
      run,
      "--slide",
      `${out}/gallery.png`,
      "--out",
      `${folder}/unscaled`,
    );
    assert.equal(unscaled.code, 4, unscaled.err);
    assert.match(
      unscaled.err,
      /^DataError: Cannot place tiles on .*: it names no pixel size\nhint: Pass --pixel-size, µm a pixel/,
    );
    assert.equal(disk.look(`${folder}/unscaled`), undefined);

    // Predictions of all samples, against features by the adapter alone and the decoder's formula.
    const predicted = `${folder}/predicted`;
    const force = ["predict", "--run", run, "--data", data, "--with", "decoder", "--out", predicted];
    const said = await done(...force, "--json", "--quiet");
    assert.deepEqual([JSON.parse(said.out).outputs.length, JSON.parse(said.out).checked], [3, true]);
    const adapter = `${run}/checkpoints/best`;
    await done(
      "embed",
      `${data}/patches/SYN0.h5`,
      "--encoder",
      ENCODER,
      "--adapter",
      adapter,
      "--out",
      `${folder}/f.h5`,
    );
    const features = await H5File.open(disk.open(`${folder}/f.h5`, "read"));
    const z = features.numbers("/features");
    features.close();
    const found = await expression(`${predicted}/SYN0.h5ad`);
    // Where scanpy's plots look for the image: pixels of the spots times the scale lie on it.
    {
      using file = await H5ad.open(disk.open(`${predicted}/SYN0.h5ad`, "read"));
      const slide = (file.uns()["spatial"] as UnsTree)["slide"] as UnsTree;
      const { hires } = slide["images"] as unknown as { hires: UnsArray };
      const scales = slide["scalefactors"] as Record<string, number>;
      const [height, width] = hires.shape as [number, number];
      const spatial = file.spatial().map((value) => value * scales["tissue_hires_scalef"]!);
      assert.ok(spatial.every((value, k) => value > 0 && value < (k % 2 === 0 ? width : height)));
      assert.ok(scales["spot_diameter_fullres"]! > 0);
    }
    assert.deepEqual(found.genes, genes);
    const width = z.length / found.names.length;
    const heads = readSafetensorsF32(Deno.readFileSync(`${adapter}/heads.safetensors`), "heads").tensors;
    const wanted = decode(z, width, heads);
    const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - found.x[i]!)), 0);
    assert.ok(worst < 1e-4 && Math.max(...wanted) > 0.1, `${worst} of ${Math.max(...wanted)}`);
    await predictedAgain(folder, predicted, ["predict", "--run", run, "--data", data, "--with", "decoder"]);
    await predictedByProbe(folder, { run, data, z, genes });

    // A grid over a slide; another slide that does not exist fails alone.
    const grid = ["predict", "--run", run, "--slide", `${data}/wsis/SYN1.tif`, "--grid", "150", "--out", predicted];
    const half = await seal(...grid, "--slide", `${folder}/none.tif`, "--json", "--quiet");
    assert.equal(half.code, 3, half.err);
    assert.deepEqual(JSON.parse(half.out).outputs.map(({ status }: { status: string }) => status), ["done", "failed"]);
    assert.match((await expression(`${predicted}/SYN1.grid.h5ad`)).names[0]!, /^x\d+y\d+$/);

    await predictedLikeEmbedded(folder, { run, data, predicted });

    // Genes of it drawn over the slide, and as squares for QuPath; one that is not predicted is refused.
    const draw = await seal(...grid, "--show", genes[0]!);
    assert.equal(draw.code, 0, draw.err);
    assert.equal(disk.look(`${predicted}/SYN1.grid.${genes[0]}.png`)?.kind, "file");
    const { features: squares } = JSON.parse(Deno.readTextFileSync(`${predicted}/SYN1.grid.geojson`));
    assert.equal(squares.length, (await expression(`${predicted}/SYN1.grid.h5ad`)).names.length);
    assert.ok(Number.isFinite(squares[0].properties.measurements[genes[0]!]));
    assert.equal((await seal(...grid, "--show", "NONE")).code, 2);

    // Damaged outputs are no outputs: status 4, whatever is wrong with them, and with --overwrite the same bytes.
    for (const [path, args] of [[`${out}/retrieval.json`, retrieve], [`${predicted}/SYN0.h5ad`, force]] as const) {
      const whole = Deno.readFileSync(path);
      for (const cut of [whole.length - 9, whole.length >> 1]) {
        Deno.writeFileSync(path, whole.subarray(0, cut));
        const damaged = await seal(...args);
        assert.equal(damaged.code, 4, damaged.err);
        assert.match(damaged.err, /is there already and damaged[^]*hint: Pass --overwrite/);
        assert.equal(Deno.readFileSync(path).length, cut);
      }
      Deno.writeFileSync(path, whole);
    }

    // Data and encoder that are no longer where training found them: the hint names the flag that says where.
    const there = names(folder);
    for (const [path, flag] of [[data, "data"], [weights, "encoder"]] as const) {
      Deno.renameSync(path, `${path}.moved`);
      const gone = await seal("retrieve", "--run", run, "--out", `${folder}/gone`);
      assert.equal(gone.code, flag === "data" ? 4 : 2, gone.err);
      assert.ok(
        gone.err.includes(`hint: ${run} was trained with --${flag} ${path}; say where that is now with --${flag}`),
      );
      Deno.renameSync(`${path}.moved`, path);
    }
    const unknown = await seal("predict", "--run", run, "--data", data, "--samples", "SYN9", "--out", `${folder}/gone`);
    assert.equal(unknown.code, 2, unknown.err);
    assert.match(unknown.err, /Cannot predict for sample SYN9: [^]*hint: They have SYN0, SYN1, SYN2/);
    for (const inside of [`${run}/checkpoints/best`, `${run}/checkpoints`]) {
      const answer = await seal("predict", "--run", inside, "--data", data, "--out", `${folder}/gone`);
      assert.equal(answer.code, 2, answer.err);
      assert.ok(answer.err.includes(`hint: Give the run itself, --run ${run}; `), answer.err);
    }
    // A run where its adapter is wanted.
    for (const given of [run, `${run}/checkpoints`]) {
      const args = ["embed", `${data}/patches/SYN0.h5`, "--encoder", ENCODER, "--adapter", given];
      const answer = await seal(...args, "--out", `${folder}/gone`);
      assert.equal(answer.code, 4, answer.err);
      assert.ok(
        answer.err.includes(`hint: ${run} is a training run; its adapter is ${run}/checkpoints/best`),
        answer.err,
      );
    }
    assert.deepEqual(names(folder), there);

    // Other weights under the run's name are refused.
    const other = await seal("predict", "--run", run, "--data", data, "--encoder", OTHER, "--overwrite");
    assert.equal(other.code, 5, other.err);
    assert.match(other.err, /trained on other weights/);

    // Without a manifest all but the checkpoints is read unchecked, which is said.
    assert.equal(json(`${out}/retrieval.json`).checked, true);
    Deno.removeSync(`${run}/manifest.json`);
    const unchecked = ["--run", run, "--samples", "SYN1", "--data", data, "--json", "--quiet", "--out"];
    for (const command of ["retrieve", "predict"]) {
      const { out, err } = await done(command, ...unchecked, `${folder}/unchecked-${command}`);
      assert.equal(JSON.parse(out).checked, false);
      assert.match(err, /^warning: .*run has no manifest\.json of this program: .* unchecked$/m);
    }
    const report = await done("report", run, "--json", "--quiet");
    assert.equal(JSON.parse(report.out).checked, false);
    assert.match(report.err, /^warning: unchecked: all files: the run has no manifest\.json of this program$/m);
  });
});

Deno.test("retrieve and predict without a run, or of a folder that is none, exit with 2", async () => {
  for (const command of ["retrieve", "predict"]) {
    const none = await seal(command);
    assert.equal(none.code, 2);
    assert.match(none.err, /no --run is given/);
  }
  const nowhere = await seal("predict", "--run", "/nowhere", "--slide", "x.tif");
  assert.equal(nowhere.code, 2, nowhere.err);
  assert.match(nowhere.err, /Give the folder that train wrote/);
  const { code, err } = await seal("retrieve", "--run", "/nowhere", "--at", "0");
  assert.equal(code, 2);
  assert.match(err, /positive whole numbers/);
});
