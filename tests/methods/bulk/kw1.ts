/**
 * A world of patients seen through an encoder that knows the wrong things: a factor z shapes the tumour's RNA and, faintly, its
 * tiles, whose types occur as often as z says; sites stain differently and most of a tile means nothing. The encoder of tiles, 64
 * to 12 numbers, was trained to restore noisy tiles, so that stain and nuisance fill it; training on bags and RNA is to bring out
 * what belongs to the patient.
 */

import { Rng } from "../../../src/core/rng.ts";
import { balancedAccuracy, confusionMatrix } from "../../../src/eval/classification.ts";
import { pearson } from "../../../src/eval/correlation.ts";
import { applyStandardizer, fitStandardizer } from "../../../src/eval/linalg/standardize.ts";
import type { Table } from "../../../src/eval/linalg/table.ts";
import { fitLogistic, predictLogistic } from "../../../src/eval/logistic.ts";
import { predictLinear } from "../../../src/eval/ridge.ts";
import { fitChosenRidge } from "../../../src/eval/ridge_choice.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import type { Plan } from "../../../src/graph/plan.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import type { BulkConfig } from "../../../src/methods/bulk/config.ts";
import type { BulkData, BulkSlide } from "../../../src/methods/bulk/data.ts";
import { type Arm, createArm } from "../../../src/methods/bulk/model.ts";
import { bulkGroups, type BulkSession, sizesOf } from "../../../src/methods/bulk/session.ts";
import { type SlideTiles, stacked, type TileRow, type Tiles } from "../../../src/methods/bulk/tiles.ts";
import { patientMeans } from "../../../src/methods/bulk/probes.ts";
import { bulkTraining } from "../../../src/methods/bulk/training.ts";
import { moduleRng } from "../../../src/nn/init.ts";
import { Parameters } from "../../../src/nn/parameters.ts";
import { createSequential, type Sequential } from "../../../src/nn/sequential.ts";
import { square } from "../../../src/ops/activation.ts";
import { sub } from "../../../src/ops/binary.ts";
import { meanAll } from "../../../src/ops/reduce.ts";
import { AdamW, type HostTensor } from "../../../src/optim/adamw.ts";
import { adamwOptions } from "../../../src/train/config/optim.ts";
import { type RowInput, vectorInput } from "../../../src/train/row_input.ts";
import { RowModel } from "../../../src/train/row_model.ts";
import { Step } from "../../../src/train/step.ts";
import { trainIn } from "../../train/driver.ts";
import { readback } from "../../../src/gpu/readback.ts";
import { times } from "./world.ts";

/** Sizes of the world. */
export const KW1 = {
  ...{ factor: 6, types: 5, sites: 12, stain: 4, nuisance: 8, hidden: 96, dim: 64, genes: 100, width: 12, tiles: 32 },
  /** Of the types' codes, so that probes of the encoder before training score as in the published reference. */
  code: 1.2,
} as const;

/** Patients with their tiles. */
export interface Patients {
  readonly count: number;
  /** `[patients, 6]`. */
  readonly z: Float32Array;
  /** Type of each tile, `[patients * tiles]`. */
  readonly types: Uint8Array;
  /** `[patients * tiles, 64]`. */
  readonly tiles: Float32Array<ArrayBuffer>;
  /** `[patients, 100]`. */
  readonly rna: Float32Array;
}

/** The patients of a world: some to train the encoder on, others for probes, and some of sites that nobody has seen. */
export interface Kw1 {
  readonly tuned: Patients;
  readonly probed: Patients;
  readonly tested: Patients;
  readonly abroad: Patients;
}

/** Makes a world. */
export function makeKw1(seed: number, counts = { tuned: 400, probed: 400, tested: 200, abroad: 200 }): Kw1 {
  const { factor, types, sites, stain, nuisance, hidden, dim, genes, tiles, code } = KW1;
  const rng = new Rng(seed, 7);
  const w = rng.normals(factor * types);
  const inputs = types + factor + stain + nuisance;
  const [m1, m2] = [rng.normals(inputs * hidden, 1 / 4), rng.normals(hidden * dim, 1 / 8)];
  const shifts = rng.normals(sites * stain, 2);
  const codes = rng.normals(types * types, code);
  const r = rng.normals((3 * types + factor) * genes);
  const patient = (rng: Rng, among: readonly number[], at: number, out: Patients) => {
    const own = out.z.subarray(at * factor, (at + 1) * factor);
    const logits = times(own, w, types);
    const top = Math.max(...logits);
    const sum = logits.reduce((a, b) => a + Math.exp(b - top), 0);
    const p = logits.map((value) => Math.exp(value - top) / sum);
    const site = among[rng.below(among.length)]!;
    for (let t = at * tiles; t < (at + 1) * tiles; t++) {
      let [left, type] = [rng.uniform(), 0];
      while (type + 1 < types && left > p[type]!) left -= p[type++]!;
      out.types[t] = type;
      const shown = [
        ...codes.subarray(type * types, (type + 1) * types),
        ...Array.from(own, (value) => 0.5 * value + 0.6 * rng.normal()),
        ...Array.from({ length: stain }, (_, k) => shifts[site * stain + k]! + 0.3 * rng.normal()),
        ...Array.from({ length: nuisance }, () => 2.5 * rng.normal()),
      ];
      const tile = times(times(shown, m1, hidden).map(Math.tanh), m2, dim);
      tile.forEach((value, j) => out.tiles[t * dim + j] = 6 * value + 0.3 * rng.normal());
    }
    const cause = [...p.map((q) => 4 * q), ...p.map((q) => 4 * q * q), ...p.map((q) => 2 * Math.sqrt(q)), ...own];
    times(cause, r, genes).forEach((value, g) => out.rna[at * genes + g] = value + 0.5 * rng.normal());
  };
  const draw = (count: number, among: readonly number[], stream: number): Patients => {
    const rng = new Rng(seed, stream);
    const out = {
      ...{ count, z: rng.normals(count * factor), types: new Uint8Array(count * tiles) },
      ...{ tiles: new Float32Array(count * tiles * dim), rna: new Float32Array(count * genes) },
    };
    for (let at = 0; at < count; at++) patient(rng, among, at, out);
    return out;
  };
  const known = [0, 1, 2, 3, 4, 5];
  return {
    tuned: draw(counts.tuned, known, 11),
    probed: draw(counts.probed, known, 12),
    tested: draw(counts.tested, known, 13),
    abroad: draw(counts.abroad, [8, 9], 14),
  };
}

const parts = (from: number, to: number) => {
  const { hidden } = KW1;
  return [["linear", from, hidden], ["relu"], ["linear", hidden, hidden], ["relu"], ["linear", hidden, to]] as const;
};

function encoderOf(parameters: Parameters, seed: number): Sequential {
  return createSequential(parameters, "encoder", parts(KW1.dim, KW1.width), moduleRng(seed, "encoder"));
}

/** Weights of the encoder before training: it restores tiles from themselves with noise. */
export async function baseEncoder(
  gpu: Gpu,
  { tuned }: Kw1,
  seed: number,
  steps = 1200,
): Promise<Map<string, HostTensor>> {
  const { dim } = KW1;
  const batch = 128;
  const parameters = new Parameters(gpu);
  const encoder = encoderOf(parameters, seed);
  const decoder = createSequential(parameters, "decoder", [["linear", KW1.width, KW1.hidden], ["relu"], [
    "linear",
    KW1.hidden,
    dim,
  ]], moduleRng(seed, "decoder"));
  parameters.allocate();
  const optimizer = new AdamW(parameters, [{ match: () => true }]);
  const step = await Step.compile(
    {
      parameters,
      rows: { dim: KW1.width, input: vectorInput(dim, (g, x) => encoder.forward(g, x, true)) },
      fields: (store) => ({ clean: store.tensor("clean", "clean", [batch, dim]) }),
      objective: (g, z, { clean }) => ({ loss: meanAll(g, square(g, sub(g, decoder.forward(g, z!, true), clean!))) }),
    },
    optimizer,
    { batch },
  );
  const rng = new Rng(seed, 21);
  for (let t = 0; t < steps; t++) {
    const clean = stacked(
      Array.from({ length: batch }, () => {
        const tile = rng.below(tuned.types.length);
        return tuned.tiles.subarray(tile * dim, (tile + 1) * dim);
      }),
      dim,
    );
    const noisy = clean.map((value) => value + 0.5 * rng.normal());
    const rows = Array.from({ length: batch }, (_, i) => noisy.subarray(i * dim, (i + 1) * dim));
    await step.submit(1e-3, () => ({ rows, fields: { clean } }));
  }
  const names = parameters.state().map(([name]) => name).filter((name) => name.startsWith("encoder."));
  const values = await readback(gpu, ...names.map((name) => parameters.get(name)));
  step.destroy();
  optimizer.destroy();
  parameters.destroy();
  return new Map(
    names.map((name, i) => [name, { shape: parameters.get(name).shape, data: Float32Array.from(values[i]!) }]),
  );
}

/** Patients that train, as training sees them. @param further Vectors of patients beside their RNA. */
export function dataOf(
  { tuned }: Kw1,
  further?: { readonly width: number; readonly values: Float32Array<ArrayBuffer> },
): BulkData {
  const { dim, genes, tiles } = KW1;
  const [mean, std] = [new Float64Array(genes), new Float64Array(genes)];
  for (let g = 0; g < genes; g++) {
    const values = Array.from({ length: tuned.count }, (_, p) => tuned.rna[p * genes + g]!);
    mean[g] = values.reduce((a, b) => a + b, 0) / values.length;
    std[g] = Math.sqrt(values.reduce((a, b) => a + (b - mean[g]!) ** 2, 0) / (values.length - 1));
  }
  return {
    dim,
    slides: Array.from({ length: tuned.count }, (_, p): BulkSlide => ({
      ...{ slide: `slide ${p}`, patient: p, part: p % 10 === 0 ? "val" : "train", count: tiles, first: p * tiles },
      rows: tuned.tiles.subarray(p * tiles * dim, (p + 1) * tiles * dim),
    })),
    patients: Array.from({ length: tuned.count }, (_, p) => `p${p}`),
    genes: Array.from({ length: genes }, (_, g) => `G${g}`),
    rna: tuned.rna.map((value, i) => (value - mean[i % genes]!) / std[i % genes]!) as Float32Array<ArrayBuffer>,
    ...(further && { modality: further }),
    statistics: { mean, std },
    ...{ unit: "log2, as given", manifest: "0".repeat(64), labels: new Map(), notes: [] },
    mark: { fingerprint: "0".repeat(64), check: () => Promise.resolve() },
  };
}

/** Tiles through the encoder that trains. */
interface EncodedTiles extends Tiles {
  run(rows: Float32Array): Promise<Float32Array>;
  /** Keeps the embeddings of all tiles as they are now. */
  keep(slides: readonly BulkSlide[]): Promise<void>;
}

async function encodedTiles(gpu: Gpu, encoder: Sequential): Promise<EncodedTiles> {
  const { dim, width } = KW1;
  const forward = (g: Plan, x: Tensor) => encoder.forward(g, x, false);
  const model = await RowModel.compile(gpu, { dim, block: 2048 }, forward);
  const row = (slide: BulkSlide, tile: number) => slide.rows!.subarray(tile * dim, (tile + 1) * dim);
  const gather = (of: readonly SlideTiles[], take: (slide: BulkSlide, tile: number) => Float32Array, width: number) =>
    stacked(of.flatMap(({ slide, tiles }) => Array.from(tiles, (tile) => take(slide, tile))), width);
  let before = new Float32Array();
  const was = ({ first }: BulkSlide, tile: number) =>
    before.subarray((first + tile) * width, (first + tile + 1) * width);
  return {
    ...{ dim: width, most: Infinity, row },
    input: () => vectorInput(dim, forward) as RowInput<TileRow>,
    given: (of) => Promise.resolve(gather(of, was, width)),
    now: async (_, of) => await model.run(gather(of, row, dim)),
    before: () => Promise.resolve(),
    run: (rows) => model.run(rows),
    async keep(slides) {
      before = Float32Array.from(await model.run(stacked(slides.map(({ rows }) => rows!), KW1.tiles * dim)));
    },
    close: () => model.destroy(),
  };
}

/** What a training leaves. */
export interface TrainedArm {
  embed(rows: Float32Array): Promise<Float32Array>;
  /** Smooth ranks at evaluations, and what probes of validation patients gained. */
  readonly ranks: readonly number[];
  readonly gains: readonly number[];
  /** Root of the squared differences of tiles to before, over that of their squares. */
  readonly drift: number;
  close(): void;
}

/** Trains an arm from the base and gives what embeds tiles afterwards; without an arm, the base. */
export async function trainArm(
  gpu: Gpu,
  { base, data, config, arm }: {
    readonly base: ReadonlyMap<string, HostTensor>;
    readonly data: BulkData;
    readonly config: BulkConfig;
    readonly arm: Arm | undefined;
  },
): Promise<TrainedArm> {
  const parameters = new Parameters(gpu);
  const encoder = encoderOf(parameters, 0);
  const arms = arm === undefined ? [] : [createArm(parameters, arm, sizesOf(data, KW1.width), config)];
  parameters.allocate();
  parameters.load(base, (name) => base.has(name));
  const tiles = await encodedTiles(gpu, encoder);
  const optimizer = new AdamW(parameters, bulkGroups(arms, config.optim.weight_decay), adamwOptions(config.optim));
  const [ranks, gains]: number[][] = [[], []];
  let drift = 0;
  if (arms.length > 0) {
    await tiles.keep(data.slides);
    const session: BulkSession = { config, data, gpu, parameters, optimizer, arms, tiles, close() {} };
    const folder = Deno.makeTempDirSync({ prefix: "bulk_kw1_" });
    await trainIn(folder, bulkTraining(session));
    for (const line of Deno.readTextFileSync(`${folder}/metrics.jsonl`).trim().split("\n")) {
      const { smooth_rank, val_gain } = JSON.parse(line);
      if (typeof smooth_rank === "number") ranks!.push(smooth_rank);
      if (typeof val_gain === "number") gains!.push(val_gain);
    }
    drift = (await patientMeans(session, arms[0])).moved;
    Deno.removeSync(folder, { recursive: true });
  }
  return {
    embed: (rows) => tiles.run(rows),
    ...{ ranks: ranks!, gains: gains!, drift },
    close() {
      tiles.close();
      optimizer.destroy();
      parameters.destroy();
    },
  };
}

/** Names of the tasks. */
export const TASKS = [
  "tile type",
  "sign of z0",
  "sign of z1",
  "tile type abroad",
  "sign of z2 abroad",
  "expression",
] as const;

/** Tiles of a patient that the probe of types sees. */
const TYPED = 8;

/** Scores of an encoder of tiles: probes are fitted on patients of known sites. */
export async function scoresOf(
  { probed, tested, abroad }: Kw1,
  embed: (rows: Float32Array) => Promise<Float32Array>,
): Promise<number[]> {
  const { width, tiles, factor, genes } = KW1;
  const sides = await Promise.all([probed, tested, abroad].map(async (of) => {
    const features = await embed(of.tiles);
    const means: Table = { rows: of.count, columns: width, data: new Float64Array(of.count * width) };
    features.forEach((value, i) => means.data[Math.floor(i / (tiles * width)) * width + i % width]! += value / tiles);
    const chosen = Array.from({ length: of.count * TYPED }, (_, i) => Math.floor(i / TYPED) * tiles + i % TYPED);
    const typed: Table = {
      rows: chosen.length,
      columns: width,
      data: Float64Array.from(chosen.flatMap((t) => [...features.subarray(t * width, (t + 1) * width)])),
    };
    return {
      ...{ means, typed, types: chosen.map((t) => of.types[t]!) },
      sign: (j: number) => Array.from({ length: of.count }, (_, p) => Number(of.z[p * factor + j]! > 0)),
      rna: { rows: of.count, columns: genes, data: Float64Array.from(of.rna) } as Table,
    };
  }));
  const [fit, own, away] = sides as [typeof sides[0], typeof sides[0], typeof sides[0]];
  const classes = (x: Table, y: number[], to: Table, truth: number[], count: number) => {
    const standard = fitStandardizer(x);
    const model = fitLogistic(applyStandardizer(x, standard), y, { c: 1, tolerance: 1e-5 });
    return balancedAccuracy(confusionMatrix(truth, predictLogistic(model, applyStandardizer(to, standard)), count))!;
  };
  const standard = fitStandardizer(fit.means);
  const ridge = fitChosenRidge(applyStandardizer(fit.means, standard), fit.rna);
  const said = predictLinear(ridge, applyStandardizer(own.means, standard));
  const column = (of: Table, g: number) =>
    Float64Array.from({ length: of.rows }, (_, r) => of.data[r * of.columns + g]!);
  const r = Array.from({ length: genes }, (_, g) => pearson(column(said, g), column(own.rna, g)).value ?? 0);
  return [
    classes(fit.typed, fit.types, own.typed, own.types, KW1.types),
    ...[0, 1].map((j) => classes(fit.means, fit.sign(j), own.means, own.sign(j), 2)),
    classes(fit.typed, fit.types, away.typed, away.types, KW1.types),
    classes(fit.means, fit.sign(2), away.means, away.sign(2), 2),
    r.reduce((a, b) => a + b, 0) / genes,
  ];
}
