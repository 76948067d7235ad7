/**
 * What VORTEX learns on phantoms whose expression is known everywhere: pre-training on eight volumes, then a volume of interest
 * with few spots, its specific genes with either sign. Prints a row of JSON for each model, spots and sign.
 *
 *     deno run --allow-read --allow-write --allow-env --allow-sys bench/methods/vortex/phantom.ts --seed 0 --steps 300
 */

import { parseArgs } from "node:util";
import { SILENT } from "../../../src/core/reporter.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import { requestGpu } from "../../../src/gpu/device.ts";
import type { VortexData } from "../../../src/methods/vortex/data.ts";
import { pairsOf } from "../../../src/methods/vortex/data.ts";
import { rowsOf } from "../../../src/methods/vortex/evidence.ts";
import { embedBank, retrieve } from "../../../src/methods/vortex/retrieval.ts";
import { fitHead } from "../../../src/methods/vortex/ridge.ts";
import { meanOf, scoresOf, testSections } from "../../../src/methods/vortex/scores.ts";
import { openSession, type VortexSession } from "../../../src/methods/vortex/session.ts";
import { readSafetensorsF32, writeSafetensorsF32 } from "../../../src/io/torch/safetensors.ts";
import { vortexTraining } from "../../../src/methods/vortex/training.ts";
import { pearson } from "../../../src/eval/correlation.ts";
import { DensePredictor } from "../../../src/methods/vortex/dense.ts";
import { bandsOf, layGrid } from "../../../src/methods/vortex/grid.ts";
import { denseModel } from "../../../src/methods/vortex/trained.ts";
import { genesOf, KINDS, PHANTOM_GENES } from "../../../scripts/methods/vortex/phantom.ts";
import { makeWorld, phantomConfig, phantomData } from "../../../scripts/methods/vortex/phantom_data.ts";
import { hostOf, runStore } from "../../../src/run/host.ts";
import { runTraining } from "../../../src/train/run.ts";

const { values: flags } = parseArgs({
  options: {
    seed: { type: "string", default: "0" },
    steps: { type: "string", default: "300" },
    models: { type: "string", default: "depth,volume,centre,mean,shared,scratch" },
    spots: { type: "string", default: "24,48,96" },
    signs: { type: "string", default: "1,-1" },
    batch: { type: "string", default: "64" },
    keep: { type: "string" },
  },
});
const seed = Number(flags.seed);
const steps = Number(flags.steps);
const models = flags.models.split(",");
/** Of the specific genes of the volume of interest. */
const signs = flags.signs.split(",").map((text) => (text === "-1" ? -1 : 1));
const BATCH = Number(flags.batch);

type Keys = Readonly<Record<string, string | number | boolean>>;
type Values = Map<string, { shape: readonly number[]; data: Float32Array }>;

/** Epochs that give so many steps. */
const epochsOf = (wanted: number, pairs: number) =>
  Math.max(1, Math.round(wanted / Math.floor(pairs / Math.min(BATCH, pairs))));

/** Trains a session in a folder that is thrown away. */
async function train(session: VortexSession): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "vortex_phantom_" });
  let last = 0;
  await runTraining(vortexTraining(session), {
    store: runStore(folder),
    before: undefined,
    reporter: {
      ...SILENT,
      training({ what, step, total, loss }) {
        if (step < last + 50 && step !== total) return;
        last = step === total ? 0 : step;
        console.error(`${what} ${step}/${total}: ${loss?.toFixed(3)}`);
      },
    },
    signal: new AbortController().signal,
    now: () => performance.now(),
    time: (_, act) => act(),
  });
  Deno.removeSync(folder, { recursive: true });
}

async function valuesOf({ parameters }: VortexSession): Promise<Values> {
  const names = parameters.state().map(([name]) => name);
  const read = await parameters.read(names);
  return new Map(names.map((name) => [name, { shape: parameters.get(name).shape, data: read.get(name)! }]));
}

/** Opens a session, trains it or takes weights, and closes it behind what is done with it. */
async function using<T>(
  gpu: Gpu,
  data: VortexData,
  keys: Keys,
  start: Values | undefined,
  act: (session: VortexSession) => Promise<T>,
): Promise<T> {
  const all = { seed, log_every: 50, batch_3d: BATCH, ...data.voi !== undefined && { voi: "voi" }, ...keys };
  const session = await openSession(gpu, phantomConfig(all), data, hostOf(SILENT));
  if (start) session.parameters.load(start);
  try {
    return await act(session);
  } finally {
    session.close();
  }
}

/** Means by kind of gene of scores by section. */
function byKind(scores: readonly (readonly (number | null)[])[]): Record<string, number> {
  const of = (genes: readonly number[]) => meanOf(scores.flatMap((row) => genes.map((g) => row[g]!))) ?? 0;
  const kinds = Object.fromEntries(KINDS.map((kind) => [kind, of(genesOf(kind))]));
  const sections = Object.fromEntries(scores.map((row, i) => [`section_${i}`, meanOf(row) ?? 0]));
  return { ...kinds, mean: of(scores[0]!.map((_, g) => g)), ...sections };
}

function print(row: Keys, scores: Record<string, number>): void {
  const rounded = Object.entries(scores).map(([name, value]) => [name, Math.round(value * 1e4) / 1e4]);
  console.log(JSON.stringify({ bench: "vortex_phantom", seed, steps, ...row, ...Object.fromEntries(rounded) }));
}

/** The data with every volume upside down. */
function reversed(data: VortexData): VortexData {
  const volumes = data.volumes.map((of) => {
    const { volume } = of;
    const [depth] = volume.shape;
    return {
      ...of,
      volume: {
        ...volume,
        async readBox(z0: number, z1: number, ...box: [number, number, number, number]) {
          const slices = await Promise.all(
            Array.from({ length: z1 - z0 }, (_, i) => volume.readBox(depth - 1 - z0 - i, depth - z0 - i, ...box)),
          );
          const all = new Float32Array(slices.length * slices[0]!.length);
          slices.forEach((slice, i) => all.set(slice as Float32Array, i * slice.length));
          return all;
        },
      },
    };
  });
  const deep = data.volumes[0]!.volume.shape[0] - 1;
  const step = data.volumes[0]!.volume.spacing[0];
  // The spot's slice is the same one, which now lies at the mirrored depth.
  const pairs = data.pairs.map((pair) => ({
    ...pair,
    place: [pair.place[0], pair.place[1], deep * step - pair.place[2]] as const,
  }));
  return { ...data, volumes, pairs };
}

const gpu = await requestGpu(navigator.gpu);
const plus = makeWorld(seed, { sign: 1 });
const worlds = {
  1: plus,
  [-1]: { phantoms: plus.phantoms, voi: makeWorld(seed, { sign: -1, count: 0 }).voi },
} as const;
const before = phantomData({ phantoms: worlds[1].phantoms, voi: undefined }, { seed });
const epochs = epochsOf(steps, before.pairs.length);

/** Weights after training on the volumes that are not of interest; kept in a folder, they are not trained again. */
async function pretrained(name: string, keys: Keys): Promise<Values> {
  const path = flags.keep && `${flags.keep}/${name}_${seed}_${steps}_${BATCH}.safetensors`;
  const found = path && await Deno.readFile(path).catch(() => undefined);
  if (found) return new Map(readSafetensorsF32(found, path).tensors);
  const made = await using(gpu, before, { epochs_3d: epochs, ...keys }, undefined, async (session) => {
    await train(session);
    return await valuesOf(session);
  });
  if (path) Deno.writeFileSync(path, writeSafetensorsF32(made, { format: "pt" }));
  return made;
}

/** Scores of a head on the test sections. */
async function scored(session: VortexSession, id: "shared" | "voi" | "retrieval") {
  const { rows } = await rowsOf(session);
  return byKind(rows.find((row) => row.id === id)!.scores);
}

async function judgeDepth(weights: Values): Promise<void> {
  for (const sign of signs) {
    for (const spots of flags.spots.split(",").map(Number)) {
      const data = phantomData(worlds[sign], { seed, spots });
      await using(gpu, data, { epochs_3d: 0 }, weights, async (session) => {
        await fitHead(session);
        if (spots === 24 || flags.spots.split(",").length === 1) {
          print({ model: "pretrained", sign, spots: 0 }, await scored(session, "shared"));
        }
        print({ model: "ridge", sign, spots }, await scored(session, "voi"));
        if (spots === 48) {
          print({ model: "retrieval, spots of interest", sign, spots }, await scored(session, "retrieval"));
        }
      });
      await using(gpu, data, { epochs_3d: 0, voi_steps: 60, val_fraction: 0 }, weights, async (session) => {
        await train(session);
        print({ model: "ridge and 60 steps", sign, spots }, await scored(session, "voi"));
      });
    }
    const upside = reversed(phantomData(worlds[sign], { seed, spots: 48 }));
    await using(gpu, upside, { epochs_3d: 0 }, weights, async (session) => {
      print({ model: "pretrained, slices reversed", sign, spots: 0 }, await scored(session, "shared"));
    });
  }
  // Retrieval from all training volumes.
  const data = phantomData(worlds[1], { seed });
  await using(gpu, data, { epochs_3d: 0 }, weights, async (session) => {
    const bank = data.volumes.flatMap((_, v) => (v === data.voi ? [] : pairsOf(data, v, "train")));
    const x = Float32Array.from(bank.flatMap((pair) => [...data.x.subarray(pair * 12, (pair + 1) * 12)]));
    const scale = (await session.parameters.read(["temperature"])).get("temperature")![0]!;
    const made = await embedBank(gpu, session.model, x, Math.exp(-scale));
    const sections = testSections(data);
    const { image } = await session.say(sections.flatMap(({ pairs }) => pairs));
    const told = scoresOf(data, sections, retrieve(made, image, 12));
    print({ model: "retrieval, training volumes", sign: 1, spots: 0 }, byKind(told));
  });
}

/** Planes of a slab, each told by itself, and voxels of a plane that are read at a time. */
const [SLAB, BAND] = [2, 2100];

/**
 * The whole volume of interest by its head from 48 spots, against what is known at every place: correlation by kind of gene, at the
 * depth of the measured section and at the farthest, and differences across borders of slabs and of bands next to those
 * along the same axis within them.
 */
async function judgeVolume(weights: Values): Promise<void> {
  const world = worlds[1];
  const data = phantomData(world, { seed, spots: 48 });
  await using(gpu, data, { epochs_3d: 0 }, weights, async (session) => {
    await fitHead(session);
    const { volume, window } = data.volumes[data.voi!]!;
    const grid = await layGrid(volume, session.shape, { stride: 32, depth: 1, everywhere: true }, window);
    const model = await denseModel(gpu, { ...session, patch: session.shape }, 12, ({ heads }) => heads.voi!);
    const [nz, ny, nx] = grid.shape;
    const options = { volume, grid, patch: session.shape, window, band: BAND };
    const planes: Float32Array[] = [];
    for (let first = 0; first < nz; first += SLAB) {
      const predictor = new DensePredictor(model, options);
      for (let k = first; k < Math.min(nz, first + SLAB); k++) planes.push(await predictor.plane(k));
    }
    const [, rows, columns] = volume.shape;
    const truth = (k: number, g: number) =>
      Float32Array.from(
        { length: ny * nx },
        (_, i) => world.voi!.genes[g]![(k * rows + Math.floor(i / nx) * 4) * columns + i % nx * 4]!,
      );
    const told = (k: number, g: number) => Float32Array.from({ length: ny * nx }, (_, i) => planes[k]![i * 12 + g]!);
    const over = (ks: readonly number[]) =>
      PHANTOM_GENES.map((_, g) => {
        const [a, b] = [told, truth].map((of) => ks.flatMap((k) => [...of(k, g)]));
        return pearson(a!, b!).value;
      });
    const every = planes.map((_, k) => k);
    /** Mean difference of places from the one before along z or y over some of them, all genes. */
    const apart = (of: typeof told, axis: "z" | "y", at: readonly number[]) => {
      let [sum, count] = [0, 0];
      for (const k of axis === "z" ? at : every) {
        PHANTOM_GENES.forEach((_, g) => {
          const here = of(k, g);
          const before = axis === "z" ? of(k - 1, g) : here;
          for (const y of axis === "y" ? at : Array(ny).keys()) {
            for (let x = 0; x < nx; x++, count++) {
              sum += Math.abs(here[y * nx + x]! - before[(axis === "z" ? y : y - 1) * nx + x]!);
            }
          }
        });
      }
      return sum / count;
    };
    // Where no patch is shifted inward, along the same axis, at every other place: tissue itself differs more here than there, and a
    // border alone would be told from the rest by that.
    const reach = session.shape.field / session.shape.side * (session.shape.side - 1) / 2;
    const bands = [...bandsOf(volume, grid, reach, BAND)].map(({ from }) => from);
    const axes = {
      z: [4, nz - 3, (k: number) => k % SLAB === 0],
      y: [3, ny - 2, (y: number) => bands.includes(y)],
    } as const;
    const seamOf = (of: typeof told, axis: "z" | "y") => {
      const [first, end, isBorder] = axes[axis];
      const all = Array.from({ length: end - first }, (_, i) => first + i);
      return apart(of, axis, all.filter(isBorder)) / apart(of, axis, all.filter((at) => !isBorder(at)));
    };
    const scores = byKind([over(every)]);
    const [near, far] = [[7], [nz - 1]].map((ks) => meanOf(over(ks)) ?? 0);
    const seam = Object.fromEntries((["z", "y"] as const).flatMap((axis) => [
      [`seam_${axis}`, seamOf(told, axis)],
      [`seam_${axis}_truth`, seamOf(truth, axis)],
    ]));
    print({ model: "whole volume, ridge", sign: 1, spots: 48 }, { ...scores, near: near!, far: far!, ...seam });
    model.close();
  });
}

/** Steps that let the shared head learn what the volume has of its own: the encoder trains too, since nothing behind it sees texture. */
const SHARED = { voi_steps: 300, batch_voi: 16, lr_voi: 3e-4, lr_voi_depth: 3e-4, lr_voi_encoder: 3e-4 };

/** The shared head alone: before, and after steps on the volume of interest. */
async function judgeShared(): Promise<void> {
  const weights = await pretrained("shared", { heads: "shared" });
  for (const sign of signs) {
    for (const spots of flags.spots.split(",").map(Number)) {
      const keys = { heads: "shared", epochs_3d: 0, val_fraction: 0, ...SHARED };
      await using(gpu, phantomData(worlds[sign], { seed, spots }), keys, weights, async (session) => {
        if (spots === 24) print({ model: "shared, pretrained", sign, spots: 0 }, await scored(session, "shared"));
        await train(session);
        print({ model: "shared, 300 steps", sign, spots }, await scored(session, "shared"));
      });
    }
  }
}

/** The volume of interest alone, everything trained on its spots. */
async function judgeScratch(): Promise<void> {
  for (const sign of signs) {
    for (const spots of flags.spots.split(",").map(Number)) {
      const own = phantomData({ phantoms: [], voi: worlds[sign].voi }, { seed, spots });
      const keys = { heads: "shared", epochs_3d: epochsOf(Math.min(steps, 200), spots) };
      // Trained as any other volume, and judged on its test sections.
      const weights = await using(gpu, { ...own, voi: undefined }, keys, undefined, async (session) => {
        await train(session);
        return await valuesOf(session);
      });
      await using(gpu, own, { heads: "shared", epochs_3d: 0, voi_steps: 1 }, weights, async (session) => {
        print({ model: "scratch", sign, spots }, await scored(session, "shared"));
      });
    }
  }
}

if (models.includes("depth")) await judgeDepth(await pretrained("depth", {}));
if (models.includes("volume")) await judgeVolume(await pretrained("depth", {}));
const LABELS = {
  centre: "2D, the spot's slice",
  mean: "2D, mean of slices",
  tubelets: "tubelets, pretrained",
} as const;
for (const aggregate of ["centre", "mean", "tubelets"] as const) {
  if (!models.includes(aggregate)) continue;
  const keys = { aggregate, ...aggregate === "centre" ? { slices: 1 } : {} };
  const weights = await pretrained(aggregate, keys);
  await using(gpu, phantomData(worlds[1], { seed, spots: 48 }), { ...keys, epochs_3d: 0 }, weights, async (session) => {
    print({ model: LABELS[aggregate], sign: 1, spots: 0 }, await scored(session, "shared"));
    if (aggregate !== "tubelets") return;
    await fitHead(session);
    print({ model: "tubelets, ridge", sign: 1, spots: 48 }, await scored(session, "voi"));
  });
}
if (models.includes("shared")) await judgeShared();
if (models.includes("scratch")) await judgeScratch();
gpu.destroy();
