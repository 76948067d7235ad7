import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { checksOf } from "../../src/evidence/checks.ts";
import { evenly, type EvidenceData, sidesOf, takeColumns } from "../../src/evidence/data.ts";
import { embeddingMap } from "../../src/evidence/embedding.ts";
import { quoted } from "../../src/cli/interrupt.ts";
import { findPatches } from "../../src/evidence/gallery.ts";
import { loadingCode } from "../../src/evidence/loading.ts";
import { predictedValues } from "../../src/evidence/maps.ts";
import { asWritten } from "../../src/evidence/names.ts";
import { fitPredictors } from "../../src/evidence/predictor.ts";
import {
  describeProbe,
  differenceOf,
  type EvidenceProtocol,
  prepare,
  probeDifferences,
  probeOf,
  probeScores,
} from "../../src/evidence/probe_evidence.ts";
import { jointRetrieval, probeRetrieval } from "../../src/evidence/retrieval.ts";
import { summaryOf } from "../../src/evidence/summary.ts";
import { geneGroup, readTruth } from "../../src/evidence/synthetic.ts";
import { findThumbnail } from "../../src/evidence/thumbnail.ts";
import { Stopwatch } from "../../src/core/stopwatch.ts";
import { Rng } from "../../src/core/rng.ts";
import { openTrainingSet } from "../../src/data/open_training_set.ts";
import { Fields } from "../../src/data/synth/fields.ts";
import { drawExpression, geneModel, GENES, VISIBLE_GENES } from "../../src/data/synth/genes.ts";
import { planSynth, slidesOf } from "../../src/data/synth/plan.ts";
import { writeSynth } from "../../src/data/synth/write.ts";
import { pearson } from "../../src/eval/correlation.ts";
import { chooseSource, predictorFile, readPredictor } from "../../src/eval/predictor.ts";
import { fitProbe, type ProbeResult } from "../../src/eval/probe.ts";
import { HEADLINE_PROTOCOL } from "../../src/eval/protocol.ts";
import { fitRidge, predictLinear } from "../../src/eval/ridge.ts";
import { applyStandardizer } from "../../src/eval/linalg/standardize.ts";
import { column, type Table, takeRows } from "../../src/eval/linalg/table.ts";
import { encodePng } from "../../src/io/image/png_write.ts";
import { disk } from "../../src/io/fs.ts";
import { findEncoder } from "../../src/models/encoder_registry.ts";
import { randomEncoder } from "../../src/models/random_encoder.ts";
import type { EncoderResult, RunEvidence } from "../../src/report/run_evidence.ts";
import { inFolder } from "./shared.ts";

/** Nothing here reaches a device. */
const NO_GPU = { caps: { software: true } } as unknown as Gpu;

/** Slides of some spots: half train, half are held out; targets follow the features. */
function dataOf(sizes: readonly number[], genes: number, constant = -1): { data: EvidenceData; features: Table } {
  const rng = new Rng(5);
  const count = sizes.reduce((a, b) => a + b, 0);
  const width = 4;
  const features = {
    rows: count,
    columns: width,
    data: Float32Array.from({ length: count * width }, () => rng.normal()),
  };
  const values = new Float32Array(count * genes);
  for (let i = 0; i < count; i++) {
    for (let g = 0; g < genes; g++) {
      const signal = features.data[i * width + g % width]!;
      values[i * genes + g] = g === constant ? 1 : signal + 0.3 * rng.normal();
    }
  }
  const slides = sizes.flatMap((size, s) => new Array<string>(size).fill(`S${s}`));
  const half = sizes.length >> 1;
  const trained = sizes.slice(0, half).reduce((a, b) => a + b, 0);
  const numbers = Array.from({ length: count }, (_, i) => i);
  const names = Array.from({ length: genes }, (_, g) => `G${g}`);
  const truth = { rows: count, columns: genes, data: values };
  const table = { genes: names, values: truth, normalised: truth };
  const data: EvidenceData = {
    held: sizes.slice(half).map((size, s) => ({ id: `S${s + half}`, donor: `D${s + half}`, count: size })) as never,
    trainPairs: numbers.slice(0, trained),
    heldPairs: numbers.slice(trained),
    heldSlides: slides.slice(trained),
    slides,
    donors: slides.map((slide) => slide.replace("S", "D")),
    unnamed: false,
    sections: new Map(sizes.slice(half).map((_, s) => [`S${s + half}`, { donor: `D${s + half}`, seen: false }])),
    totals: new Float64Array(count).fill(1),
    panel: table,
    compared: table,
    missing: [{ gene: "GONE", reason: "S1 lacks it" }],
  };
  return { data, features };
}

/** A probe of the benchmark's protocol unless another is named. */
async function probed(
  data: EvidenceData,
  features: Table,
  genes = data.panel,
  protocol: EvidenceProtocol = "hest-bench/1",
): Promise<ProbeResult> {
  return await probeOf(data, await prepare(data, features, NO_GPU), genes, { gpu: NO_GPU, protocol });
}

const scoresOf = (result: ProbeResult, data: EvidenceData) =>
  probeScores(result, data, { about: describeProbe(result) });

Deno.test("a stopwatch counts each part without the parts inside it", async () => {
  let now = 0;
  const watch = new Stopwatch(() => now);
  now = 5;
  await watch.time("outer", async () => {
    now += 10;
    await watch.time("inner", () => Promise.resolve(now += 100));
    now += 1;
    await watch.time("inner", () => Promise.reject(new Error("x"))).catch(() => {});
  });
  now += 1000;
  await watch.time("after", () => Promise.resolve(now += 3));
  assert.deepEqual([...watch.spent], [["outer", 11], ["inner", 100], ["after", 3]]);
});

Deno.test("words of a command are quoted as a shell needs it", async () => {
  const words = ["a=b", "x y", "it's", "random:v?a=1&b=2", "$(rm)", ""];
  const { stdout } = await new Deno.Command("sh", { args: ["-c", `printf '%s\\n' ${words.map(quoted).join(" ")}`] })
    .output();
  assert.equal(new TextDecoder().decode(stdout), words.map((word) => `${word}\n`).join(""));
});

Deno.test("columns and even choices", () => {
  const table = { rows: 2, columns: 3, data: Float32Array.of(1, 2, 3, 4, 5, 6) };
  assert.deepEqual([...takeColumns(table, [2, 0]).data], [3, 1, 6, 4]);
  assert.deepEqual(evenly(10, 5), [1, 3, 5, 7, 9]);
  assert.deepEqual(evenly(3, 5), [0, 1, 2]);
  assert.deepEqual(evenly(0, 5), []);
});

Deno.test("probe scores: a constant gene has a reason and counts as 0, a missing one is listed, few slides have no interval", async () => {
  const { data, features } = dataOf([60, 50, 40, 30], 6, 5);
  const result = await probed(data, features);
  const scores = scoresOf(result, data);
  const known = result.perGene.slice(0, 5).map(({ pearson }) => pearson!);
  assert(known.every((r) => r > 0.9));
  assert(Math.abs(scores.pearson.mean! - known.reduce((a, b) => a + b, 0) / 6) < 1e-12);
  assert(scores.pearson.low! < scores.pearson.mean! && scores.pearson.mean! < scores.pearson.high!);
  assert.deepEqual(scores.genes.slice(5).map(({ gene, pearson, reason }) => [gene, pearson, reason]), [
    ["G5", null, "constant target"],
    ["GONE", null, "S1 lacks it"],
  ]);
  assert.equal(scores.pearson_per_slide!.low, undefined);
  assert.deepEqual(scores.slides!.map(({ sample, donor }) => [sample, donor]), [["S2", "D2"], ["S3", "D3"]]);
  const noise = { ...features, data: features.data.map((_, i) => Math.sin(i * i)) };
  const worse = await probed(data, noise);
  const [delta, perSlide] = probeDifferences(worse, result, data.sections);
  assert(delta!.low! > 0.3 && delta!.over === "genes" && perSlide!.low === undefined && perSlide!.over === "slides");
});

Deno.test("donors seen and unseen have scores of their own; a gene has one correlation, within sections", async () => {
  const { data, features } = dataOf([60, 50, 40, 30, 20, 30], 5);
  const sections = new Map([
    ["S3", { donor: "D1", seen: true }],
    ["S4", { donor: "D4", seen: false }],
    ["S5", { donor: undefined, seen: undefined }],
  ]);
  const result = await probed(data, features, data.panel, "depth-cv/1");
  const scores = scoresOf(result, { ...data, sections, missing: [] });
  const slide = (id: string) => scores.slides!.find(({ sample }) => sample === id)!;
  assert.deepEqual(
    scores.donors!.map(({ kind, donors, sections, spots, pearson_per_slide: { mean } }) => [
      kind,
      donors,
      sections,
      spots,
      mean,
    ]),
    [
      ["seen", 1, 1, 30, slide("S3").pearson],
      ["unseen", 1, 1, 20, slide("S4").pearson],
      ["unknown", 1, 1, 30, slide("S5").pearson],
    ],
  );
  assert.deepEqual([slide("S3").seen, slide("S4").seen, slide("S5").seen], [true, false, undefined]);
  scores.genes.forEach(({ pearson_per_slide }, g) => {
    const mean = result.perSlide.reduce((sum, { pearson }) => sum + pearson[g]!, 0) / 3;
    assert(Math.abs(pearson_per_slide! - mean) < 1e-12);
  });
  const overGenes = scores.genes.reduce((sum, gene) => sum + gene.pearson_per_slide!, 0) / 5;
  assert(Math.abs(overGenes - scores.pearson_per_slide!.mean!) < 1e-12, "the headline is the mean of the table");
  assert.match(scores.penalty!, /cross-validated over 3 training donors/);
  assert.equal(scores.truth, "ln(1 + counts per 10,000)");
});

Deno.test("the probe that predict uses is that of the report, and sources are chosen by training donors", async () => {
  const { data, features } = dataOf([60, 50, 40, 30, 20, 30], 7);
  const { train } = sidesOf(data, features, data.panel.normalised);
  const judged = [0, 1, 2, 4, 5, 6];
  // A decoder that is right but for noise, and one that is not.
  const rng = new Rng(8);
  const noisy = (noise: number): Table => ({
    ...train.targets,
    data: Float32Array.from(train.targets.data, (value) => value + noise * rng.normal()),
  });
  const good = await fitPredictors({ train, judged, decoded: noisy(0.01), step: 3 });
  const bad = await fitPredictors({ train, judged, decoded: noisy(50), step: 3 });
  const none = await fitPredictors({ train, judged, decoded: undefined, step: 3 });
  assert.deepEqual([good, bad, none].map(({ predictors }) => predictors.chosen), ["decoder", "probe", "probe"]);
  assert.equal(none.predictors.decoder, undefined);
  const onFrozen = { said: noisy(0.01), features: train.features, file: Uint8Array.of(7) };
  const headed = await fitPredictors({ train, judged, decoded: noisy(50), head: onFrozen, step: 3 });
  assert.deepEqual([headed.predictors.chosen, headed.head], ["head", onFrozen.file]);
  // On the same features the head loses what the probe does.
  const { fitted, held_back: held } = headed.predictors.head!;
  const { probe: same } = headed.predictors;
  assert(Math.abs(fitted! - held! - (same.fitted! - same.held_back!)) < 1e-12);
  const { probe, decoder } = good.predictors;
  assert.match(probe.penalty, /over 3 training donors$/);
  assert.match(probe.note, /^3 training donors left out/);
  // Groups of samples whose patient nobody names are not called donors.
  const unnamed =
    (await fitPredictors({ train: { ...train, unnamed: true }, judged, decoded: undefined, step: 3 })).predictors;
  assert.match(unnamed.probe.penalty, /over 3 training groups whose donors are not all named$/);
  assert.match(unnamed.probe.note, /^3 training groups whose donors are not all named left out/);
  // Plain loops: each training donor by a ridge on the others.
  const model = await fitProbe({ ...train, targets: takeColumns(train.targets, judged) }, "depth-cv/1");
  assert.equal(probe.alpha, model.alpha);
  const sections: number[] = [];
  for (const donor of ["D0", "D1", "D2"]) {
    const rows = (own: boolean) => data.trainPairs.filter((pair) => (data.donors[pair] === donor) === own);
    const scaled = applyStandardizer(train.features, model.standardizer);
    const side = (of: readonly number[]) => ({
      x: takeRows(scaled, of),
      y: takeRows(takeColumns(train.targets, judged), of),
    });
    const [inner, held] = [side(rows(false)), side(rows(true))];
    const predicted = predictLinear(fitRidge(inner.x, inner.y, { alpha: model.alpha, intercept: true }), held.x);
    const r = judged.map((_, g) => pearson(column(predicted, g), column(held.y, g)).value!);
    sections.push(r.reduce((a, b) => a + b, 0) / r.length);
  }
  const mean = sections.reduce((a, b) => a + b, 0) / 3;
  assert(Math.abs(probe.held_back! - mean) < 1e-9, `${probe.held_back} is ${mean}`);
  assert(Math.abs(decoder!.held_back! - (decoder!.fitted! - (probe.fitted! - probe.held_back!))) < 1e-12);
  // The file's map gives the predictions of the same ridge on all training spots, of genes that were not judged too.
  const whole = predictLinear(
    fitRidge(applyStandardizer(train.features, model.standardizer), train.targets, {
      alpha: model.alpha,
      intercept: true,
    }),
    applyStandardizer(features, model.standardizer),
  );
  const { weight, bias } = readPredictor(predictorFile(good.probe), "probe", 7);
  for (let i = 0; i < features.rows; i++) {
    for (let g = 0; g < 7; g++) {
      let sum = bias[g]!;
      for (let j = 0; j < 4; j++) sum += weight[4 * g + j]! * features.data[4 * i + j]!;
      assert(Math.abs(sum - whole.data[7 * i + g]!) < 1e-5);
    }
  }
  assert.throws(
    () => readPredictor(predictorFile(good.probe), "probe", 8),
    /7 x 4 weight and 7 bias, 8 x D and 8 wanted/,
  );
});

Deno.test("chooseSource() takes off from the decoder what the probe loses, and prefers the probe of equals", () => {
  const of = (heldBack: number | null, fitted: number | null, decoder: number | null | undefined) =>
    chooseSource({ held_back: heldBack, fitted }, decoder);
  assert.equal(of(0.4, 0.5, 0.55).chosen, "decoder");
  assert.equal(of(0.4, 0.5, 0.5).chosen, "probe");
  assert.equal(of(0.4, 0.5, 0.45).chosen, "probe");
  assert.equal(of(0.4, 0.5, null).chosen, "probe");
  assert.match(of(0.4, 0.5, undefined).why, /no image decoder/);
  assert.deepEqual([of(null, 0.5, 0.6).chosen, of(null, 0.5, 0.4).chosen], ["decoder", "probe"]);
  // The decoder has 0.45 by estimate.
  const head = (fitted: number | null, lost: number | null) =>
    chooseSource({ held_back: 0.4, fitted: 0.5 }, 0.55, undefined, { fitted, lost });
  assert.deepEqual([head(0.6, 0.1), head(0.54, 0.1), head(0.6, null)].map(({ chosen }) => chosen), [
    "head",
    "decoder",
    "decoder",
  ]);
  assert.deepEqual([head(0.6, null).head, head(null, 0.1).head], [null, null]);
  assert.equal(head(0.6, -0.2).head, 0.6, "a probe that gains takes nothing off");
  assert.match(
    head(0.6, 0.1).why,
    /decoder has about 0.450, the probe 0.400, the head on the frozen encoder about 0.500/,
  );
});

Deno.test("probe scores of one held-out spot are null with a reason, never 0 or NaN", async () => {
  const { data, features } = dataOf([30, 1], 3);
  const result = await probed(data, features);
  const { pearson, pearson_per_slide, spearman, r2, slides } = scoresOf(result, data);
  for (const one of [pearson, pearson_per_slide!, spearman!, r2!]) {
    assert.deepEqual([one.mean, one.reason], [null, "fewer than two spots"]);
  }
  assert.deepEqual(slides!.map((one) => [one.pearson, one.reason]), [[null, "fewer than two spots"]]);
  assert.deepEqual(probeDifferences(result, result, data.sections), []);
  const found = probeRetrieval(result, data);
  assert(found.scores.recall.every(({ value }) => value === null) && found.scores.reason !== undefined);
  assert(found.scores.gallery > 0);
});

Deno.test("differences need pairs, and five slides for an interval", () => {
  assert.deepEqual(differenceOf("m", [[], []], "genes"), []);
  assert.deepEqual(differenceOf("m", [[1, 2], [2, 4]], "slides"), [{
    metric: "m",
    mean: 1.5,
    over: "slides",
    reason: "2 sections, an interval takes 5",
  }]);
  const [five] = differenceOf("m", [[1, 2, 3, 4, 5], [2, 3, 4, 5, 6]], "slides");
  assert.deepEqual([five!.mean, five!.low, five!.high, five!.level], [1, 1, 1, 0.95]);
  // Five sections of two donors, and few genes.
  const [two] = differenceOf("m", [[1, 2, 3, 4, 5], [2, 3, 4, 5, 6]], "slides", 2);
  assert.deepEqual([two!.low, two!.reason], [undefined, "2 donors, an interval takes 5"]);
  const [genes] = differenceOf("m", [[1, 2, 3, 4], [2, 3, 4, 5]], "genes");
  assert.deepEqual([genes!.low, genes!.reason], [undefined, "4 genes, an interval takes 5"]);
});

Deno.test("joint retrieval: chance of slides of unequal size, k below the pool only, collapse with a reason", async () => {
  const width = 8;
  const rng = new Rng(3);
  const image = Float32Array.from({ length: 18 * width }, () => rng.normal());
  const slides = [...new Array<string>(6).fill("a"), ...new Array<string>(12).fill("b")];
  const scores = await jointRetrieval({ image, gene: image.slice(), width }, slides, NO_GPU);
  assert.deepEqual(scores.map(({ scope, direction }) => `${direction} ${scope}`), [
    "i2g within slides",
    "g2i within slides",
    "i2g across slides",
    "g2i across slides",
  ]);
  assert(Math.abs(1 / scores[0]!.gallery - (1 / 6 + 1 / 12) / 2) < 1e-12);
  assert.deepEqual(scores[0]!.recall, [{ k: 1, value: 1 }, { k: 5, value: 1 }]);
  assert.deepEqual(scores[2]!.recall.map(({ k }) => k), [1, 5, 10]);
  const same = new Float32Array(18 * width).fill(0.5);
  const collapsed = await jointRetrieval({ image, gene: same, width }, slides, NO_GPU);
  assert(collapsed[0]!.recall.every(({ value }) => value === null) && /no value/.test(collapsed[0]!.reason!));
});

Deno.test("retrieval through the probe finds spots that the features tell, by chance without", async () => {
  const { data, features } = dataOf([80, 40, 40, 40], 12);
  const told = probeRetrieval(await probed(data, features, data.compared), data);
  const noise = { ...features, data: features.data.map((_, i) => Math.sin(i * i)) };
  const blind = probeRetrieval(await probed(data, noise, data.compared), data);
  const at = (found: typeof told, k: number) => found.scores.recall.find((one) => one.k === k)!.value!;
  assert(at(told, 10) > 0.9 && Math.abs(at(blind, 10) - 0.25) < 0.15, `${at(told, 10)} ${at(blind, 10)}`);
  assert.equal(told.bySlide.length, 2);
  assert(Math.abs((told.bySlide[0]! + told.bySlide[1]!) / 2 - at(told, 10)) < 1e-12);
});

Deno.test("a query's patches are of its slide, best first; spots without a direction are no queries", () => {
  // Images 0 to 2 are of slide a; the gene side of spot 1 points at image 2.
  const image = Float32Array.of(1, 0, 0, 1, 1, 1, 1, 0, 0, 0);
  const gene = Float32Array.of(1, 0, 1, 1, 1, 1, 0, 1, 1, 0);
  const found = findPatches({ image, gene, width: 2 }, ["a", "a", "a", "b", "b"], 9);
  assert.deepEqual(found.map(({ row, rank, gallery }) => [row, rank, gallery]), [[0, 1, 3], [1, 2, 3], [2, 1, 3], [
    3,
    1,
    2,
  ]]);
  assert.deepEqual(found[1]!.hits.map(({ row }) => row), [2, 0, 1]);
  assert.deepEqual(found[3]!.hits.map(({ row }) => row), [3]);
});

Deno.test("maps add the training means to a protocol without intercept, and only to one", () => {
  const predictions = { rows: 2, columns: 2, data: Float64Array.of(1, 2, 3, 4) };
  const model = (intercept: boolean) => ({ intercept, offset: Float64Array.of(10, 20) }) as never;
  assert.deepEqual([...predictedValues({ predictions, model: model(false) })], [11, 22, 13, 24]);
  assert.deepEqual([...predictedValues({ predictions, model: model(true) })], [1, 2, 3, 4]);
});

Deno.test("the embedding map is PCA of standardised features, with its share of the variance", async () => {
  const { data } = dataOf([50, 50], 3);
  const rng = new Rng(9);
  // Two columns of one direction, one of its own, one constant: shares 2/3 and 1/3.
  const rows = Array.from({ length: 100 }, () => [rng.normal(), rng.normal()] as const);
  const features = { rows: 100, columns: 4, data: Float32Array.from(rows.flatMap(([a, b]) => [a, -5 * a, b, 7])) };
  const map = await embeddingMap(data, {
    panels: [{ label: "one", features }],
    samples: [{ id: "S0", donor: "D0" }, { id: "S1", donor: undefined }],
    genes: ["G1"],
  });
  const { x, explained } = map.panels[0]!;
  const total = explained![0]! + explained![1]!;
  assert(Math.abs(total - 1) < 1e-6 && explained![0]! > 0.6);
  const sign = Math.sign(x[0]! * rows[0]![0]);
  const agree = x.filter((value, i) => Math.sign(value) === sign * Math.sign(rows[i]![0])).length;
  assert(agree > 85, `${agree}`);
  assert(Math.max(...x) === Math.max(...x.map(Math.abs)), "upright");
  assert.deepEqual(map.sample_index, [...new Array(50).fill(0), ...new Array(50).fill(1)]);
  assert.deepEqual(map.samples, [{ sample: "S0", donor: "D0" }, { sample: "S1" }]);
  assert(map.genes![0]!.values.every((value, i) => Math.abs(value - data.panel.values.data[i * 3 + 1]!) < 1e-4));
  const flat = { ...features, data: new Float32Array(400).fill(2) };
  const none = await embeddingMap(data, { panels: [{ label: "flat", features: flat }], samples: [], genes: [] });
  assert(none.panels[0]!.x.every((value) => value === 0) && none.panels[0]!.explained!.every((part) => part === 0));
});

Deno.test("lines for PEFT name the encoder's own sizes, file or repository", () => {
  const { spec } = randomEncoder("random:vit_small_patch16_224?dim=64&depth=2&heads=2");
  const code = loadingCode({ spec, encoder: "data/demo/encoder/", local: true, adapter: "checkpoints/best" });
  for (
    const part of [
      "embed_dim=64",
      "depth=2, num_heads=2",
      '"data/demo/encoder/model.safetensors"',
      '"checkpoints/best"',
    ]
  ) {
    assert(code.includes(part), part);
  }
  const uni = loadingCode({ spec: findEncoder("uni"), encoder: "uni", local: false, adapter: "x" });
  assert(uni.includes('"hf-hub:MahmoodLab/UNI"') && uni.includes("init_values=1e-5"));
  const phikon = loadingCode({ spec: findEncoder("phikon"), encoder: "phikon", local: false, adapter: "x" });
  assert(phikon.includes("transformers.AutoModel") && phikon.includes("last_hidden_state[:, 0]"));
  const virchow = loadingCode({ spec: findEncoder("virchow2"), encoder: "virchow2", local: false, adapter: "x" });
  assert(virchow.includes("t[:, 5:].mean(1)"));
  assert(/no file to load/.test(loadingCode({ spec, encoder: spec.name, local: false, adapter: "x" })));
});

Deno.test("checks decide by the thresholds of profile ci, and leaks on any", () => {
  const encoder = (role: "before" | "after", visible: number, hidden: number): EncoderResult => ({
    id: role,
    label: role,
    role,
    probe: {
      protocol: "p",
      pearson: { mean: (visible + hidden) / 2 },
      genes: [
        { gene: "SYNV0G000", pearson: visible, group: "visible program" },
        { gene: "SYNH0G120", pearson: hidden, group: "hidden program" },
      ],
    },
  });
  const verdicts = (profile: string, hidden: number) =>
    checksOf({
      before: encoder("before", 0.3, 0.1),
      after: encoder("after", 0.4, hidden),
      references: [{ name: "o", kind: "oracle", pearson: 0.2 }, { name: "p", kind: "oracle", pearson: 0.9 }],
      agree: { before: 0.3, after: 0.4 },
      profile,
    }).map(({ passed }) => passed);
  // What cannot be decided is left out.
  assert.deepEqual(verdicts("ci", 0.1), [true, true, false, true, false]);
  assert.deepEqual(verdicts("small", 0.2), [false, false]);
  assert.deepEqual(["SYNV3G033", "SYNH1G121", "SYNHK150", "TP53"].map(geneGroup), [
    "visible program",
    "hidden program",
    "no program",
    undefined,
  ]);
});

Deno.test("the summary shows intervals where there are some, and why where nothing was measured", () => {
  const encoder = (role: "before" | "after", mean: number): EncoderResult => ({
    id: role,
    label: role,
    role,
    probe: { protocol: "p", pearson: { mean }, genes: [] },
  });
  const differences = [{ metric: "pearson", mean: 0.1, low: -0.02, high: 0.2, over: "genes" }];
  const { lines } = summaryOf({ schema: 1, encoders: [encoder("before", 0.2), encoder("after", 0.3)], differences });
  assert(lines.join("\n").includes("0.200   0.300  +0.100 (-0.020 to +0.200 over genes)"), lines.join("\n"));
  const still = summaryOf({ schema: 1, encoders: [encoder("before", -0.0001), encoder("after", -0.0003)] });
  assert(still.lines.some((line) => /pooled|together/.test(line) && /0\.000 +0\.000 +\+0\.000$/.test(line)));
  assert(!/-0\.000/.test(still.lines.join()), still.lines.join("\n"));
  const none = summaryOf({ schema: 1, encoders: [], notes: [{ text: "Nothing", reason: "because" }] });
  assert.deepEqual(none.lines, ["Nothing: because"]);
});

Deno.test("truth and thumbnails of a data set: by barcode, with their scale, refused where they do not fit", async () => {
  await inFolder(async (folder) => {
    const plan = planSynth({ profile: "smoke", slides: 2, traps: ["shuffle-patches"] });
    await writeSynth(disk, folder, plan, { makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }) });
    const set = await openTrainingSet(disk, {
      folders: [folder],
      holdOut: { test: { samples: ["SYN1"], donors: [] } },
      genes: { size: 100 },
    });
    const truth = (await readTruth(set, disk))!;
    assert.equal(truth.profile, "smoke");
    const model = geneModel(plan.seed);
    for (const [s, slide] of slidesOf(plan).entries()) {
      const drawn = drawExpression(slide, new Fields(slide), model);
      const { first, spatial, barcodes } = set.samples[s]!;
      barcodes.forEach((_, i) => {
        const spot = slide.spots.findIndex(({ x, y }) =>
          Math.hypot(x / slide.pixelSize - spatial.xy[2 * i]!, y / slide.pixelSize - spatial.xy[2 * i + 1]!) < 1e-6
        );
        for (let f = 0; f < 8; f++) assert.equal(truth.fields.data[(first + i) * 8 + f], drawn.fields[spot * 8 + f]);
        for (const g of [0, 50, VISIBLE_GENES - 1]) {
          const value = truth.programme.data[(first + i) * VISIBLE_GENES + g]!;
          assert(Math.abs(value - Math.log(drawn.mean[spot * GENES + g]!)) < 1e-12);
        }
      });
    }
    const sample = set.samples[1]!;
    const inside = await findThumbnail(sample, disk);
    const width = sample.files.metadata!.number("fullres_px_width")!;
    assert(Math.abs(inside.thumbnail!.image.width / width - inside.thumbnail!.scale) < 0.01);
    assert.equal(inside.spotDiameter, 110);
    // HEST's own folder wins, with the scale of its own width; another sample's image is none of this one's.
    Deno.mkdirSync(`${folder}/thumbnails`);
    const image = (w: number, h: number) => encodePng({ width: w, height: h, data: new Uint8Array(w * h * 3).fill(9) });
    Deno.writeFileSync(`${folder}/thumbnails/SYN10_downscaled_fullres.png`, image(8, 8));
    assert((await findThumbnail(sample, disk)).thumbnail!.image.width > 8);
    const height = sample.files.metadata!.number("fullres_px_height")!;
    Deno.writeFileSync(
      `${folder}/thumbnails/SYN1_downscaled_fullres.png`,
      image(100, Math.round(100 * height / width)),
    );
    const beside = await findThumbnail(sample, disk);
    assert.deepEqual([beside.thumbnail!.image.width, beside.thumbnail!.scale], [100, 100 / width]);
    // An image of another slide: half of the spots lie below it.
    Deno.writeFileSync(
      `${folder}/thumbnails/SYN1_downscaled_fullres.png`,
      image(100, Math.round(50 * height / width)),
    );
    const wrong = await findThumbnail(sample, disk);
    assert(wrong.thumbnail === undefined && /only \d+ % of the spots/.test(wrong.reason!));
    Deno.removeSync(`${folder}/truth/SYN0.h5`);
    assert.equal(await readTruth(set, disk), undefined);
  });
});

Deno.test("describeProbe() says that the penalty was chosen on donors it has seen", () => {
  const chosen = { by: "donors", folds: 3, groups: 3, atEdge: false };
  const fitted = { model: { protocol: HEADLINE_PROTOCOL, alpha: 12, chosen } } as unknown as ProbeResult;
  const said = "12, cross-validated over 3 training donors";
  assert.equal(describeProbe(fitted).penalty, said);
  assert.equal(
    describeProbe(fitted, "SEAL").penalty,
    `${said}, all of which SEAL was trained on: it may be too small for SEAL`,
  );
});

Deno.test("asWritten() names genes of every part of the evidence as the data write them, and changes nothing else", () => {
  const parts = (gene: string) => ({
    results: { encoders: [{ label: "SEAL", probe: { panel: "C1ORF53", genes: [{ gene, pearson: 0.5 }] } }] },
    maps: [{ sample: "C1ORF53", genes: [gene, "OTHER"] }],
    embedding: { genes: [{ gene, values: [1] }] },
    gallery: { queries: [{ sample: "S", top_genes: [{ gene, value: 2 }] }] },
  } as unknown as RunEvidence);
  const vocabulary = { genes: ["EPCAM", "C1ORF53"], written: ["EPCAM", "C1orf53"] };
  assert.deepEqual(asWritten(parts("C1ORF53"), vocabulary), parts("C1orf53"));
  assert.deepEqual(asWritten(parts("C1ORF53"), { genes: vocabulary.genes }), parts("C1ORF53"));
});
