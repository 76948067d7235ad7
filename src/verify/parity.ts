/**
 * Features beside PyTorch's: the tiles of a {@linkcode ParityFile} embedded here, compared stage by stage.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { readback } from "../gpu/readback.ts";
import { Plan } from "../graph/plan.ts";
import { Store } from "../graph/store.ts";
import type { Encoder } from "../models/encoder.ts";
import { preprocess } from "../models/preprocess.ts";
import type { ParityFile, ParitySet } from "./parity_file.ts";

/** Smallest cosine by the storage of weights. */
export const LEAST_COSINE = { f32: 0.99999, f16: 0.9999 } as const;
/** Pixels may be this many levels apart: normalisation and back rounds. */
const PIXEL_LEVELS = 1;

/** How far two rows of numbers are from each other. */
export interface Distance {
  readonly cosine: number;
  /** Largest difference in units of the root mean square of PyTorch's. */
  readonly difference: number;
}

/** One tile on one kernel path. */
export interface TileFinding extends Distance {
  readonly path: string;
  /** Set and place in it, as `native 0`. */
  readonly tile: string;
  readonly height: number;
  readonly width: number;
  /** Pixels the model sees: the largest difference in levels and how many differ; undefined where the file holds none. */
  readonly pixels: { readonly levels: number; readonly differ: number } | undefined;
  /** Tokens after each stage that both have, in order: the farther of the first and the last. */
  readonly taps: readonly (Distance & { readonly stage: string })[];
  /** The first stage that is farther than allowed: `pixels`, a tap, or `embedding`; undefined where none is. */
  readonly parts: string | undefined;
  readonly ok: boolean;
}

/** All that was compared. */
export interface Parity {
  readonly least: number;
  readonly tiles: readonly TileFinding[];
  /** Sets that the preparation here refuses, with the reason. */
  readonly refused: readonly string[];
  readonly ok: boolean;
}

/** Distance of `right`'s row from `got`'s. Two rows of zeros are equal. */
export function distanceOf(got: ArrayLike<number>, right: ArrayLike<number>): Distance {
  let [ab, aa, bb, worst] = [0, 0, 0, 0];
  for (let i = 0; i < right.length; i++) {
    const [a, b] = [got[i]!, right[i]!];
    ab += a * b;
    aa += a * a;
    bb += b * b;
    const off = Math.abs(a - b);
    worst = off <= worst ? worst : Number.isNaN(off) ? Infinity : off;
  }
  if (worst === 0) return { cosine: 1, difference: 0 };
  const cosine = ab / Math.sqrt(aa * bb);
  return {
    cosine: Number.isFinite(cosine) ? Math.min(1, cosine) : 0,
    difference: worst / Math.max(Math.sqrt(bb / right.length), 1e-30),
  };
}

/** What the encoder makes of tiles of one size, one tile at a time. */
async function tracer(gpu: Gpu, encoder: Encoder, set: ParitySet) {
  const store = new Store(gpu);
  const tiles = store.tensor("tiles", "tiles", [1, set.height, set.width, 3], "u8");
  const g = new Plan(gpu);
  const seen = preprocess(g, tiles, encoder.spec.input);
  const { embedding, taps } = encoder.forward(g, seen);
  const stages = Object.keys(taps).filter((stage) => set.taps.has(stage));
  const made = [embedding, ...stages.map((stage) => taps[stage]!), ...(seen === tiles ? [] : [seen])];
  g.output(...made);
  store.allocate();
  const program = await g.compile();
  return {
    async run(index: number) {
      const size = set.height * set.width * 3;
      const own = set.tiles.slice(index * size, (index + 1) * size);
      store.write(tiles, own);
      program.run();
      const values = await readback(gpu, ...made);
      return {
        embedding: values[0]!,
        taps: stages.map((stage, i) => ({ stage, values: values[i + 1]!, width: taps[stage]!.dim(2) })),
        pixels: seen === tiles ? own : values.at(-1)!,
      };
    },
    destroy() {
      program.destroy();
      store.destroy();
    },
  };
}

type Traced = Awaited<ReturnType<Awaited<ReturnType<typeof tracer>>["run"]>>;

function comparePixels(got: ArrayLike<number>, { pixels, count }: ParitySet, index: number): TileFinding["pixels"] {
  if (!pixels) return undefined;
  const size = pixels.values.length / count;
  if (got.length !== size) return { levels: 255, differ: size };
  let [levels, differ] = [0, 0];
  for (let i = 0; i < size; i++) {
    const off = Math.abs(got[i]! - pixels.values[index * size + i]!);
    if (off > 0) differ++;
    levels = Math.max(levels, off);
  }
  return { levels, differ };
}

function compareTap({ stage, values, width }: Traced["taps"][number], set: ParitySet, index: number) {
  const tap = set.taps.get(stage)!;
  if (tap.width !== width) return { stage, cosine: 0, difference: Infinity };
  // The last block makes the first token only where nothing else is needed.
  const starts = values.length === width ? [0] : [0, values.length - width];
  const found = starts.map((start, i) => {
    const at = (2 * index + i) * width;
    return distanceOf(values.slice(start, start + width), tap.values.subarray(at, at + width));
  });
  return {
    stage,
    cosine: Math.min(...found.map(({ cosine }) => cosine)),
    difference: Math.max(...found.map(({ difference }) => difference)),
  };
}

function compareTile(traced: Traced, set: ParitySet, index: number, path: string, least: number): TileFinding {
  const right = set.embedding.subarray(index * set.dim, (index + 1) * set.dim);
  const whole = distanceOf(traced.embedding, right);
  const pixels = comparePixels(traced.pixels, set, index);
  const taps = traced.taps.map((tap) => compareTap(tap, set, index));
  const ok = whole.cosine >= least;
  const parts = pixels && pixels.levels > PIXEL_LEVELS
    ? "pixels"
    : taps.find(({ cosine }) => cosine < least)?.stage ?? (ok ? undefined : "embedding");
  const { height, width } = set;
  return { path, tile: `${set.name} ${index}`, height, width, ...whole, pixels, taps, parts, ok };
}

/** How to compare. */
export interface ParityOptions {
  readonly paths: readonly ("gpu" | "flat")[];
  /** Storage of the encoder's weights. */
  readonly dtype: "f32" | "f16";
  readonly onProgress?: (what: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Embeds the tiles of a file on each kernel path and compares.
 *
 * @throws {DataError} If the encoder has another number of features than the file, or takes none of its tiles.
 */
export async function compareParity(
  gpu: Gpu,
  encoder: Encoder,
  { file, sets }: ParityFile,
  { paths, dtype, onProgress = () => {}, signal }: ParityOptions,
): Promise<Parity> {
  for (const { name, dim } of sets) {
    if (dim === encoder.dim) continue;
    throw new DataError(
      `Cannot compare with ${file}: embedding/${name} has ${dim} features, and the encoder makes ${encoder.dim} by ${encoder.pooling}`,
      {
        hint: "Make the file again with the pooling: python scripts/parity_kit.py --pooling cls|mean|cls+mean",
        context: { file, found: dim, expected: encoder.dim },
      },
    );
  }
  const least = LEAST_COSINE[dtype];
  const tiles: TileFinding[] = [];
  const refused = new Set<string>();
  for (const path of paths) {
    const on = gpu.withCaps({ flat: path === "flat" });
    for (const set of sets) {
      onProgress(`${set.name} on ${path} kernels`);
      let trace;
      try {
        trace = await tracer(on, encoder, set);
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        refused.add(`${set.name}: ${error.message}`);
        continue;
      }
      try {
        for (let i = 0; i < set.count; i++) {
          signal?.throwIfAborted();
          tiles.push(compareTile(await trace.run(i), set, i, path, least));
        }
      } finally {
        trace.destroy();
      }
    }
  }
  if (tiles.length === 0) {
    throw new DataError(
      `Cannot compare with ${file}: the encoder takes none of its tiles: ${[...refused].join("; ")}`,
      {
        context: { file },
      },
    );
  }
  return { least, tiles, refused: [...refused], ok: tiles.every(({ ok }) => ok) };
}
