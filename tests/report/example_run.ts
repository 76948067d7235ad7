/**
 * A run as a user has it, of the synthetic data set: probes, retrieval and maps are computed from stand-ins of encoders
 * (the true fields with much or little noise), losses are made up.
 */

import { Rng } from "../../src/core/rng.ts";
import { cutPatch } from "../../src/data/synth/crop.ts";
import { type GeneModel, geneModel, GENES } from "../../src/data/synth/genes.ts";
import { CALIBRATION, correlations, probe, type Table } from "../../src/data/synth/oracle.ts";
import { selectPanel } from "../../src/data/synth/panel.ts";
import { planSynth, slidesOf } from "../../src/data/synth/plan.ts";
import { makeSample, type SynthSample } from "../../src/data/synth/sample.ts";
import type {
  EmbeddingMap,
  EncoderResult,
  Gallery,
  GalleryPatch,
  GeneScore,
  MetricRow,
  Results,
  RetrievalScores,
  RunEvidence,
  RunFacts,
  SampleMap,
  Spread,
} from "../../src/report/run_evidence.ts";

/** How large the run is. */
export interface ExampleOptions {
  readonly slides: number;
  readonly test: number;
  readonly rows: number;
  readonly cols: number;
  readonly steps: number;
  /** Longest side of thumbnails, pixels. */
  readonly thumbnail: number;
  readonly queries: number;
  readonly patch: number;
}

/** A few seconds' work. */
export const TINY: ExampleOptions = {
  slides: 3,
  test: 1,
  rows: 6,
  cols: 12,
  steps: 40,
  thumbnail: 96,
  queries: 2,
  patch: 32,
};

/** Features of the stand-in encoder, numbers a row. */
const FEATURES = 24;

interface Encoded {
  readonly id: "frozen" | "seal";
  readonly label: string;
  readonly features: readonly Table[];
  readonly predictions: readonly Table[];
}

/** Makes the evidence of an example run. */
export function exampleEvidence(options: ExampleOptions): RunEvidence {
  const plan = planSynth({ profile: "ci", slides: options.slides, rows: options.rows, cols: options.cols });
  const model = geneModel(plan.seed);
  const samples = slidesOf(plan).map((slide) => makeSample(plan, slide, model));
  const train = samples.slice(0, -options.test);
  const test = samples.slice(-options.test);
  const panel = selectPanel(train.map(({ counts }) => counts), model);
  const encoded = [
    encode(samples, options, { id: "frozen", label: "Frozen encoder", noise: 2.2, offset: 1.5 }),
    encode(samples, options, { id: "seal", label: "SEAL", noise: 0.9, offset: 0.5 }),
  ];
  const truth = test.map((sample) => logCounts(sample));
  return {
    config: CONFIG,
    metrics: exampleMetrics(options.steps),
    facts: exampleFacts(samples, options),
    results: exampleResults(encoded, { test, truth, panel, model }),
    maps: test.map((sample, i) =>
      exampleMap(sample, { truth: truth[i]!, predicted: encoded[1]!.predictions[i]!, panel, model, options })
    ),
    gallery: exampleGallery(test, truth, encoded[1]!, model, options),
    embedding: exampleEmbedding(samples, encoded, panel, model),
  };
}

function logCounts({ counts }: SynthSample): Table {
  return { rows: counts.length / GENES, columns: GENES, data: Float64Array.from(counts, Math.log1p) };
}

function encode(
  samples: readonly SynthSample[],
  { test }: ExampleOptions,
  { id, label, noise, offset }: { id: "frozen" | "seal"; label: string; noise: number; offset: number },
): Encoded {
  const mix = new Rng(7);
  const weights = Float64Array.from({ length: 6 * FEATURES }, () => mix.normal());
  const features = samples.map(({ expression, slide }): Table => {
    const rng = new Rng(100 + slide.slide, id === "seal" ? 1 : 2);
    const shift = Array.from({ length: FEATURES }, () => rng.normal() * offset);
    const rows = slide.spots.length;
    const data = new Float64Array(rows * FEATURES);
    for (let i = 0; i < rows; i++) {
      for (let f = 0; f < FEATURES; f++) {
        let sum = shift[f]! + noise * rng.normal() * 2;
        for (let k = 0; k < 6; k++) sum += weights[k * FEATURES + f]! * expression.fields[i * 8 + k]!;
        data[i * FEATURES + f] = sum;
      }
    }
    return { rows, columns: FEATURES, data };
  });
  const join = (tables: readonly Table[]): Table => ({
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    columns: tables[0]!.columns,
    data: Float64Array.from(tables.flatMap(({ data }) => [...data])),
  });
  const trainY = join(samples.slice(0, -test).map(logCounts));
  const means = Float64Array.from({ length: GENES }, (_, g) => {
    let sum = 0;
    for (let i = g; i < trainY.data.length; i += GENES) sum += trainY.data[i]! / trainY.rows;
    return sum;
  });
  const centred = { ...trainY, data: trainY.data.map((value, i) => value - means[i % GENES]!) };
  const predictions = features.slice(-test).map((x) => {
    const predicted = probe(join(features.slice(0, -test)), centred, x, 50);
    return { ...predicted, data: predicted.data.map((value, i) => value + means[i % GENES]!) };
  });
  return { id, label, features, predictions };
}

function pick(tables: readonly Table[], columns: readonly number[]): Table {
  const data = tables.flatMap(({ rows, columns: width, data }) =>
    Array.from({ length: rows }, (_, i) => columns.map((g) => data[i * width + g]!)).flat()
  );
  return { rows: data.length / columns.length, columns: columns.length, data: Float64Array.from(data) };
}

interface Scored {
  readonly test: readonly SynthSample[];
  readonly truth: readonly Table[];
  readonly panel: readonly number[];
  readonly model: GeneModel;
}

function ranks(values: Float64Array): Float64Array {
  const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!);
  const out = new Float64Array(values.length);
  for (let i = 0; i < order.length;) {
    let j = i;
    while (j < order.length && values[order[j]!] === values[order[i]!]) j++;
    for (let k = i; k < j; k++) out[order[k]!] = (i + j - 1) / 2;
    i = j;
  }
  return out;
}

function column({ rows, columns, data }: Table, j: number): Float64Array {
  return Float64Array.from({ length: rows }, (_, i) => data[i * columns + j]!);
}

function spreadOf(values: readonly number[], over: string): Spread {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, std: Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length), over };
}

function exampleResults(encoded: readonly Encoded[], scored: Scored): Results {
  const { test, truth, panel, model } = scored;
  const encoders = encoded.map(({ id, label, predictions, features }): EncoderResult => {
    const [a, b] = [pick(predictions, panel), pick(truth, panel)];
    const pearson = correlations(a, b);
    const genes = panel.map((g, j): GeneScore => {
      const [x, y] = [column(a, j), column(b, j)];
      const mean = y.reduce((sum, v) => sum + v, 0) / y.length;
      const sse = y.reduce((sum, v, i) => sum + (v - x[i]!) ** 2, 0);
      const sst = y.reduce((sum, v) => sum + (v - mean) ** 2, 0);
      const asTable = (data: Float64Array): Table => ({ rows: data.length, columns: 1, data });
      return {
        gene: model.names[g]!,
        pearson: pearson[j]!,
        spearman: correlations(asTable(ranks(x)), asTable(ranks(y)))[0]!,
        r2: 1 - sse / sst,
        group: g < 120 ? "visible program" : "hidden program",
      };
    });
    // A gene that is the same everywhere has no correlation.
    genes[3] = {
      gene: genes[3]!.gene,
      pearson: null,
      spearman: null,
      r2: null,
      group: genes[3]!.group!,
      reason: "constant in the test spots",
    };
    const slides = test.map((sample, i) => ({
      sample: sample.id,
      donor: `DONOR${sample.slide.donor}`,
      spots: sample.slide.spots.length,
      pearson: spreadOf([...correlations(pick([predictions[i]!], panel), pick([truth[i]!], panel))], "genes").mean,
    }));
    const known = genes.flatMap(({ pearson }) => pearson === null ? [] : [pearson]);
    return {
      id,
      label,
      role: id === "seal" ? "after" : "before",
      features: FEATURES,
      probe: {
        protocol: "hest-bench/1",
        pearson: { ...spreadOf(known, "genes"), std: 0.012, over: "seeds" },
        pearson_per_slide: spreadOf(slides.map(({ pearson }) => pearson!), "slides"),
        genes,
        slides,
      },
      retrieval: (["g2i", "i2g"] as const).map((direction) => retrievalOf(predictions, truth, direction)),
      slide_probe: {
        accuracy: slideAccuracy(features),
        chance: 1 / features.length,
        slides: features.length,
        std: 0.02,
      },
    };
  });
  const [frozen, seal] = encoders;
  const mean = seal!.probe!.pearson.mean! - frozen!.probe!.pearson.mean!;
  return {
    schema: 1,
    encoders,
    differences: [
      { metric: "pearson", mean, low: mean - 0.021, high: mean + 0.019, level: 0.95, over: "genes" },
      { metric: "recall_at_10_g2i", mean: recallAt(seal!, "g2i") - recallAt(frozen!, "g2i") },
    ],
    references: [
      {
        name: "Oracle, all eight fields",
        kind: "oracle",
        pearson: CALIBRATION.oracleAll.pcc,
        pearson_visible: CALIBRATION.oracleAll.pccVisible,
        recall_at_10: 0.824,
        note: "bounds everything",
      },
      {
        name: "Oracle, six visible fields",
        kind: "oracle",
        pearson: CALIBRATION.oracleVisible.pcc,
        pearson_visible: CALIBRATION.oracleVisible.pccVisible,
        recall_at_10: 0.677,
        note: "bounds any image model",
      },
      {
        name: "Colour statistics",
        kind: "calibration",
        pearson: CALIBRATION.colour.pcc,
        pearson_visible: CALIBRATION.colour.pccVisible,
        recall_at_10: 0.28,
      },
      {
        name: "Frozen random ViT",
        kind: "calibration",
        pearson: CALIBRATION.frozenRandomVit.pcc,
        pearson_visible: CALIBRATION.frozenRandomVit.pccVisible,
        recall_at_10: 0.377,
      },
      {
        name: "ViT trained 750 steps",
        kind: "calibration",
        pearson: CALIBRATION.trainedVit.pcc,
        pearson_visible: CALIBRATION.trainedVit.pccVisible,
        recall_at_10: 0.47,
        note: "one seed",
      },
    ],
    checks: [
      { name: "Probe gain over the frozen encoder", wanted: "at least +0.02", found: mean, passed: mean >= 0.02 },
      { name: "Hidden genes do not improve", wanted: "at most +0.05", found: 0.013, passed: true },
      {
        name: "Permuted counts give nothing",
        wanted: "within 0.03 of 0",
        found: null,
        passed: null,
        note: "the control was not run",
      },
    ],
    notes: [{
      text: "1 of 50 genes has no correlation and is left out of the means",
      reason: `${model.names[panel[3]!]} is constant in the test spots`,
    }],
    device: "llvmpipe (LLVM 15.0.6, 256 bits)",
    seconds: 9.4,
  };
}

function recallAt({ retrieval }: EncoderResult, direction: "g2i" | "i2g"): number {
  return retrieval!.find((one) => one.direction === direction)!.recall.find(({ k }) => k === 10)!.value!;
}

/** Cosines between predicted and measured expression of a slide's spots, both centred: `[spots, spots]`, predictions down. */
function similarity(predicted: Table, truth: Table): Float64Array[] {
  const unit = ({ rows, columns, data }: Table): Float64Array[] => {
    const means = Array.from(
      { length: columns },
      (_, j) => column({ rows, columns, data }, j).reduce((a, b) => a + b, 0) / rows,
    );
    return Array.from({ length: rows }, (_, i) => {
      const row = Float64Array.from({ length: columns }, (_, j) => data[i * columns + j]! - means[j]!);
      const norm = Math.hypot(...row) || 1;
      return row.map((value) => value / norm);
    });
  };
  const [a, b] = [unit(predicted), unit(truth)];
  return a.map((x) => Float64Array.from(b, (y) => y.reduce((sum, value, j) => sum + value * x[j]!, 0)));
}

function retrievalOf(
  predictions: readonly Table[],
  truth: readonly Table[],
  direction: "g2i" | "i2g",
): RetrievalScores {
  const found = predictions.flatMap((predicted, s) => {
    const cosines = similarity(predicted, truth[s]!);
    return cosines.map((row, i) => {
      const line = direction === "i2g" ? row : Float64Array.from(cosines, (other) => other[i]!);
      return 1 + line.reduce((n, value) => n + (value > cosines[i]![i]! ? 1 : 0), 0);
    });
  }).sort((a, b) => a - b);
  return {
    direction,
    scope: "within slides",
    space: "probe",
    queries: found.length,
    gallery: found.length / predictions.length,
    recall: [1, 5, 10, 50].map((k) => ({ k, value: found.filter((rank) => rank <= k).length / found.length })),
    median_rank: found[found.length >> 1]!,
    ties: 0,
  };
}

/** Share of rows whose nearest slide mean is their own. */
function slideAccuracy(features: readonly Table[]): number {
  const means = features.map((t) =>
    Array.from({ length: t.columns }, (_, j) => column(t, j).reduce((a, b) => a + b, 0) / t.rows)
  );
  let [right, all] = [0, 0];
  for (const [s, { rows, columns, data }] of features.entries()) {
    for (let i = 0; i < rows; i++, all++) {
      const far = means.map((m) => m.reduce((sum, value, j) => sum + (value - data[i * columns + j]!) ** 2, 0));
      if (far.indexOf(Math.min(...far)) === s) right++;
    }
  }
  return right / all;
}

function exampleMap(
  { id, slide, barcodes, spatial, renderer }: SynthSample,
  { truth, predicted, panel, model, options }: {
    truth: Table;
    predicted: Table;
    panel: readonly number[];
    model: GeneModel;
    options: ExampleOptions;
  },
): SampleMap {
  const scale = options.thumbnail / Math.max(slide.width, slide.height);
  const [width, height] = [Math.round(slide.width * scale), Math.round(slide.height * scale)];
  const data = renderer.render(0, 0, width, height, slide.pixelSize / scale) as Uint8Array<ArrayBuffer>;
  return {
    sample: id,
    donor: `DONOR${slide.donor}`,
    predicted_by: "SEAL, linear probe",
    unit: "log1p counts",
    barcodes,
    genes: panel.map((g) => model.names[g]!),
    measured: Float32Array.from(pick([truth], panel).data),
    predicted: Float32Array.from(pick([predicted], panel).data),
    spatial,
    spot_diameter: 55 / slide.pixelSize,
    pixel_size_um: slide.pixelSize,
    thumbnail: { image: { width, height, data }, scale },
  };
}

function exampleGallery(
  test: readonly SynthSample[],
  truth: readonly Table[],
  { predictions }: Encoded,
  model: GeneModel,
  options: ExampleOptions,
): Gallery {
  const queries = Array.from({ length: options.queries }, (_, q) => {
    const s = q % test.length;
    const [sample, table] = [test[s]!, truth[s]!];
    const spot = Math.floor((q + 0.5) * table.rows / options.queries);
    const cosines = similarity(predictions[s]!, table).map((row) => row[spot]!);
    const order = [...cosines.keys()].sort((a, b) => cosines[b]! - cosines[a]!);
    const patch = (i: number): GalleryPatch => ({
      sample: sample.id,
      barcode: sample.barcodes[i]!,
      image: {
        width: options.patch,
        height: options.patch,
        data: cutPatch(
          sample.renderer,
          {
            spot: i,
            x: Math.round(sample.spatial[2 * i]!) - 112,
            y: Math.round(sample.spatial[2 * i + 1]!) - 112,
            side: 224,
          },
          "current",
          options.patch,
        ) as Uint8Array<ArrayBuffer>,
      },
    });
    const zs = Array.from({ length: 150 }, (_, g) => {
      const { mean, std } = spreadOf([...column(table, g)], "");
      return { gene: model.names[g]!, value: (table.data[spot * GENES + g]! - mean!) / (std || 1) };
    }).sort((a, b) => b.value - a.value);
    return {
      ...patch(spot),
      top_genes: zs.slice(0, 4),
      hits: order.slice(0, 5).map((i) => ({ ...patch(i), score: cosines[i]!, correct: i === spot })),
      rank: order.indexOf(spot) + 1,
      gallery: table.rows,
    };
  });
  return {
    ranked_by: "SEAL, linear probe, within the section",
    chosen: "at even steps through the spots of the test sections",
    queries,
  };
}

function exampleEmbedding(
  samples: readonly SynthSample[],
  encoded: readonly Encoded[],
  panel: readonly number[],
  model: GeneModel,
): EmbeddingMap {
  return {
    schema: 1,
    method: "PCA",
    samples: samples.map(({ id, slide }) => ({ sample: id, donor: `DONOR${slide.donor}` })),
    sample_index: samples.flatMap(({ slide }, s) => slide.spots.map(() => s)),
    panels: encoded.map(({ label, features }) => {
      const [x, y, explained] = principal(features);
      return { label, x, y, explained };
    }),
    genes: panel.slice(0, 6).map((g) => ({
      gene: model.names[g]!,
      values: samples.flatMap((sample) => [...column(logCounts(sample), g)].map((value) => Number(value.toFixed(3)))),
    })),
  };
}

/** First two principal components by power iteration. */
function principal(features: readonly Table[]): [x: number[], y: number[], explained: number[]] {
  const d = features[0]!.columns;
  const rows = features.flatMap((t) =>
    Array.from({ length: t.rows }, (_, i) => [...t.data.subarray(i * d, (i + 1) * d)])
  );
  const mean = Array.from({ length: d }, (_, j) => rows.reduce((sum, row) => sum + row[j]!, 0) / rows.length);
  for (const row of rows) for (let j = 0; j < d; j++) row[j]! -= mean[j]!;
  const total = rows.reduce((sum, row) => sum + row.reduce((s, v) => s + v * v, 0), 0);
  const explained: number[] = [];
  const scores = [0, 1].map(() => {
    let v = Array.from({ length: d }, (_, j) => 1 + j % 3);
    for (let step = 0; step < 60; step++) {
      const next = new Array<number>(d).fill(0);
      for (const row of rows) {
        const dot = row.reduce((sum, value, j) => sum + value * v[j]!, 0);
        for (let j = 0; j < d; j++) next[j]! += dot * row[j]!;
      }
      const norm = Math.hypot(...next) || 1;
      v = next.map((value) => value / norm);
    }
    const score = rows.map((row) => row.reduce((sum, value, j) => sum + value * v[j]!, 0));
    for (const [i, row] of rows.entries()) for (let j = 0; j < d; j++) row[j]! -= score[i]! * v[j]!;
    explained.push(score.reduce((sum, value) => sum + value * value, 0) / total);
    return score.map((value) => Number(value.toFixed(3)));
  });
  return [scores[0]!, scores[1]!, explained];
}

function exampleMetrics(steps: number): MetricRow[] {
  const rng = new Rng(3);
  const warm = Math.floor(steps * 0.2);
  return Array.from({ length: steps }, (_, step): MetricRow[] => {
    const t = step / steps;
    const stage = step < warm ? "omics warm-up" : "alignment";
    const noise = (size: number) => size * rng.normal();
    const gene = 0.9 * Math.exp(-3.5 * t) + 0.45 + noise(0.03);
    const contrast = step < warm ? null : 4.1 * Math.exp(-1.6 * (step - warm) / (steps - warm)) + 0.9 + noise(0.12);
    const image = step < warm ? null : 0.55 * Math.exp(-2 * (step - warm) / (steps - warm)) + 0.62 + noise(0.02);
    const ramp = Math.min(1, step / (steps * 0.08));
    const row: MetricRow = {
      step,
      epoch: Math.floor(t * 12),
      stage,
      split: "train",
      loss: gene + (contrast ?? 0) + (image ?? 0),
      loss_recon_gene: gene,
      loss_contrast: contrast,
      loss_recon_img: image,
      lr_img: step < warm ? 0 : 1e-3 * (0.5 + 0.5 * Math.cos(Math.PI * t)),
      lr_gene: 1e-3 * ramp * (0.5 + 0.5 * Math.cos(Math.PI * t)),
      samples_per_second: step < warm ? 900 + noise(40) : 210 + noise(8),
    };
    if (step < warm || (step + 1) % Math.max(1, Math.floor(steps / 10)) !== 0) return [row];
    const s = (step - warm) / (steps - warm);
    const recall = (k: number) => Math.min(1, k / 200 + (0.5 * k / (k + 6)) * (1 - Math.exp(-3 * s)));
    return [row, {
      step,
      epoch: row.epoch!,
      stage,
      split: "val",
      loss: 2.2 + 3 * Math.exp(-1.8 * s) + noise(0.05),
      loss_contrast: 1.4 + 3.2 * Math.exp(-1.5 * s) + noise(0.05),
      loss_recon_gene: 0.55 + 0.2 * Math.exp(-3 * s),
      loss_recon_img: 0.71 + 0.4 * Math.exp(-2 * s),
      pearson_mean: 0.32 + 0.08 * (1 - Math.exp(-3 * s)) + noise(0.002),
      recall_at_1_i2g: recall(1),
      recall_at_5_i2g: recall(5),
      recall_at_10_i2g: recall(10),
      recall_at_1_g2i: recall(1) * 0.95,
      recall_at_5_g2i: recall(5) * 0.95,
      recall_at_10_g2i: recall(10) * 0.95,
    }];
  }).flat();
}

function exampleFacts(samples: readonly SynthSample[], { steps, test }: ExampleOptions): RunFacts {
  const warm = Math.floor(steps * 0.2);
  return {
    schema: 1,
    title: "SEAL on generated sections, small vision transformer",
    method: { name: "seal", label: "SEAL", citation: "SEAL: arXiv 2602.14177", columns: { loss: "Sum of losses" } },
    status: "finished",
    command: "deno task train --out runs/demo",
    started: "2026-11-27T04:50:00Z",
    seconds: 161,
    seed: 1,
    best_step: Math.floor(steps * 0.9) - 1,
    versions: { "seal-webgpu": "0.1.0", Deno: "2.9.6", V8: "14.5", Mesa: "22.3.6" },
    device: { name: "llvmpipe (LLVM 15.0.6, 256 bits)", software: true, precision: "f32" },
    encoder: {
      name: "vit-demo (96 wide, 3 blocks), pre-trained on generated images of another seed",
      parameters: 421_344,
      features: 192,
      base: "./encoder",
      sha256: "9f2c".repeat(16),
    },
    adapter: {
      path: "checkpoints/best",
      rank: 8,
      alpha: 16,
      targets: ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"],
      blocks: "last 2 of 3",
      parameters: 27_648,
      bytes: 112_904,
    },
    data: {
      name: "Generated sections (profile ci)",
      synthetic: true,
      genes: 190,
      samples: samples.map(({ id, slide }, i) => ({
        sample: id,
        donor: `DONOR${slide.donor}`,
        split: i >= samples.length - test ? "test" : i === samples.length - test - 1 ? "val" : "train",
        spots: slide.spots.length,
        technology: "Visium",
      })),
    },
    stages: [{ name: "omics warm-up", from: 0, to: warm }, { name: "alignment", from: warm, to: steps }],
    times: [
      { name: "Decode and augment", seconds: 14.2 },
      { name: "Stem cache", seconds: 31.5, note: "frozen blocks, once a patch and view" },
      { name: "GPU: training steps", seconds: 83.1 },
      { name: "Evaluation", seconds: 18.4 },
      { name: "Waiting for data", seconds: 2.9 },
      { name: "Writing", seconds: 1.6 },
      { name: "Other", seconds: 9.3 },
    ],
    warnings: [
      { text: "8 spots of SYN3 have no patch and were left out", reason: "their window holds too little tissue" },
      { text: "Software adapter", reason: "no GPU driver was found; times say nothing about a GPU" },
    ],
  };
}

const CONFIG = `# Resolved configuration; running it again gives the same run.
data: data/synth
encoder: demo
seed: 1
batch_size: 64
epochs: 12
stages:
  - name: omics warm-up
    epochs: 2
  - name: alignment
    epochs: 10
contrast_method: clip
lambda_contrast: 1.0
gene_loss: barlow_std_mse
gene_norm: log1p
n_train_genes: 190
img_lr: 0.001
gene_lr: 0.001
lora:
  r: 8
  alpha: 16
  blocks: 2
augment: soft
`;
