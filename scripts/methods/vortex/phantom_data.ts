/** Phantoms as training sees them: some to train on before, one of interest with a measured section and others to test on. */

import { Rng, streamOf } from "../../../src/core/rng.ts";
import { sha256Of } from "../../../src/io/checksum.ts";
import { VORTEX_CONFIG, type VortexConfig } from "../../../src/methods/vortex/config.ts";
import type { VortexData, VortexPair } from "../../../src/methods/vortex/data.ts";
import { makePhantom, type Phantom, PHANTOM_GENES, PHANTOM_SHAPE, sectionOf } from "./phantom.ts";
import type { Zyx } from "../../../src/volumes/volume.ts";

/** What a run on phantoms is made of. */
export interface PhantomWorld {
  readonly phantoms: readonly Phantom[];
  /** The phantom of interest; undefined trains on all. */
  readonly voi: Phantom | undefined;
}

/** Phantoms by a seed. @param sign Of the one of interest. */
export function makeWorld(
  seed: number,
  { count = 8, sign = 1, shape = PHANTOM_SHAPE }: { count?: number; sign?: 1 | -1; shape?: Zyx } = {},
): PhantomWorld {
  return {
    phantoms: Array.from({ length: count }, (_, v) => makePhantom(`vol${v}`, seed, v % 2 ? -1 : 1, shape)),
    voi: makePhantom("voi", seed, sign, shape),
  };
}

/** Depths of the sections: of the volumes to train on by their place, of that of interest to train and to test on. */
export interface PhantomDepths {
  readonly train: (volume: number) => readonly number[];
  readonly voi: readonly number[];
  readonly test: readonly number[];
}

/** Sections of volumes to train on lie at all depths, those near the ends among them, where patches are shifted inward. */
export const DEPTHS: PhantomDepths = { train: (v) => [v, v + 10, v + 20], voi: [7], test: [12, 17, 21] };

interface DataOptions {
  readonly seed: number;
  /** Spots of interest to train on, drawn; all by default. */
  readonly spots?: number;
  readonly depths?: PhantomDepths;
  /** Window of intensities. */
  readonly window?: readonly [number, number];
}

/** Data of a run. Expression has unit variance over each volume, so that it needs no scale. */
export function phantomData(
  { phantoms, voi }: PhantomWorld,
  { seed, spots, depths = DEPTHS, window = [0, 1.2] }: DataOptions,
): VortexData {
  const all = voi ? [...phantoms, voi] : phantoms;
  const [pairs, rows]: [VortexPair[], Float32Array[]] = [[], []];
  const add = (v: number, z: number, part: VortexPair["part"], noise: number, most = Infinity) => {
    const phantom = all[v]!;
    const section = sectionOf(phantom, z, noise, seed);
    const order = new Rng(seed, streamOf(`spots of ${phantom.name}`)).permutation(section.length);
    const chosen = most < section.length ? [...order.slice(0, most)].sort((a, b) => a - b) : section.map((_, i) => i);
    for (const i of chosen) {
      const { at, values } = section[i]!;
      const { spacing } = phantom.volume;
      const place = [at[2] * spacing[2], at[1] * spacing[1], at[0] * spacing[0]] as const;
      pairs.push({ volume: v, section: `${phantom.name} ${z}`, part, place });
      rows.push(values);
    }
  };
  phantoms.forEach((_, v) => depths.train(v).forEach((z) => add(v, z, "train", 1)));
  if (voi) {
    depths.voi.forEach((z) => add(phantoms.length, z, "train", 1, spots));
    depths.test.forEach((z) => add(phantoms.length, z, "test", 0));
  }
  const G = PHANTOM_GENES.length;
  const x = new Float32Array(pairs.length * G);
  rows.forEach((row, p) => x.set(row, p * G));
  return {
    volumes: all.map(({ name, volume }) => ({ name, patient: `patient of ${name}`, volume, window })),
    voi: voi ? phantoms.length : undefined,
    pairs,
    genes: PHANTOM_GENES,
    x,
    measured: new Float32Array(x.length).fill(1),
    statistics: { mean: new Float64Array(G), std: new Float64Array(G).fill(1) },
    manifest: sha256Of(PHANTOM_GENES.join("\n")),
    unit: "unit variance",
    notes: [],
    mark: { fingerprint: sha256Of(`${seed} ${spots} ${all.map(({ name }) => name)}`), check: () => Promise.resolve() },
    close() {},
  };
}

/**
 * The small encoder of slices: patches of 4 pixels, 2 blocks, on tiles of 16. It is trained from this start: with weights of deviation
 * 0.02 blocks of width 48 are almost linear, and a texture, whose mean is none, is not found in thousands of steps.
 */
export const PHANTOM_ENCODER = "random:vit_small_patch16_224?dim=48&depth=2&heads=4&patch=4&img=16&seed=1&fan=1";

/** A configuration by its keys, on phantoms: patches of 8 x 16 x 16 voxels, lateral flips alone, the whole encoder trains. */
export function phantomConfig(given: Readonly<Record<string, string | number | boolean>> = {}): VortexConfig {
  const all = {
    ...{ volumes: "phantoms", encoder: PHANTOM_ENCODER, field: 128, slices: 8, slice_step: 8, jitter: false, near: 48 },
    ...{ use_lora: false, partial_blocks: -1, layer_decay: 1, depth_blocks: 1, width: 64, pool_heads: 4 },
    ...{ gene_hidden: 64, gene_dropout: 0, epochs_2d: 0, epochs_3d: 4, lr: 1e-3, lr_encoder: 1e-3, batch_3d: 64 },
    ...{ lr_warmup_steps: 20, weight_decay: 0.01 },
    ...given,
  };
  return VORTEX_CONFIG.read([], Object.entries(all).map(([key, value]): [string, string] => [key, String(value)]))
    .config;
}
