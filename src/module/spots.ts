/**
 * Spots that a run is asked about: of folders, of opened data, or arrays in hand, in the columns of the run's genes.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import type { TrainingSet } from "../data/training_set.ts";
import type { Vocabulary } from "../data/genes/vocabulary.ts";
import type { Lenience } from "../train/pair_data.ts";
import type { RunData } from "../run/data.ts";
import type { OpenedRun } from "../run/open.ts";
import type { Reporter } from "../core/reporter.ts";
import type { Hest, HestSample } from "./hest.ts";
import { isOpened, sourceOf } from "./hest_source.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import { type ImageInput, rgbOf } from "./images.ts";
import type { HestPairs } from "./pairs.ts";

/** Spots in hand: images, and what was measured there where it is asked for. Row `i` of everything is spot `i`. */
export interface SpotArrays {
  /** Name of the sample, in results. */
  readonly id: string;
  /** Squares of tissue as the run was trained on, one a spot; decoded when they are needed. */
  readonly images: readonly ImageInput[];
  /** Symbols of the columns of `expression`, whatever the case. */
  readonly genes?: readonly string[] | undefined;
  /** `[images, genes]` in the unit of the run, as {@linkcode HestSample.expression} gives it. Genes that are not there are 0. */
  readonly expression?: Float32Array | undefined;
  /** Names of the spots; numbers from 0 by default. */
  readonly barcodes?: readonly string[] | undefined;
  /** Centres `[images, 2]`, x then y; NaN by default. */
  readonly coords?: ArrayLike<number> | undefined;
  /** For models with an organ token. */
  readonly organ?: string | undefined;
}

/** Samples, one or many of a kind: of {@linkcode openHest}, or in hand. */
export type SpotSamples = HestSample | SpotArrays | readonly HestSample[] | readonly SpotArrays[];

/** Spots: folders in HEST's layout, what {@linkcode openHest} opened, its pairs, or samples. */
export type SpotData = string | readonly string[] | Hest | HestPairs | SpotSamples;

/** A sample of {@linkcode Spots}. */
export interface SpotSample {
  readonly id: string;
  /** Number of its first spot. */
  readonly first: number;
  readonly count: number;
  readonly barcodes: readonly string[];
  /** `[count, 2]`. */
  readonly xy: ArrayLike<number>;
}

/** Images of spots that follow each other and have one size. */
export interface SpotImages {
  /** Number of the first. */
  readonly first: number;
  readonly count: number;
  readonly side: number;
  /** `[count, side, side, 3]`. */
  readonly pixels: Uint8Array;
  /** Number of the organ of each, for models with an organ token. */
  readonly organs: readonly number[] | undefined;
}

/** Spots that can be passed through a model. */
export interface Spots {
  readonly count: number;
  readonly samples: readonly SpotSample[];
  /** In the run's columns, `[spots, genes]`. @throws {DataError} If nothing was measured. */
  gather(first: number, count: number): Float32Array;
  /** All images in order, at most so many together. */
  images(batch: number, signal: AbortSignal | undefined): AsyncGenerator<SpotImages>;
}

/** Samples as files, as the functions below read them. */
export type SpotFiles = Pick<RunData, "folders" | "samples" | "disk"> & { readonly lenience: Lenience };

function isPath(data: SpotData): data is string | readonly string[] {
  return typeof data === "string" || (Array.isArray(data) && data.length > 0 && typeof data[0] === "string");
}

/**
 * Files of data; undefined of what is in hand.
 *
 * @param part Of pairs that hold out: all, or those held out.
 * @throws {ConfigError} If there is nothing, or data of several kinds.
 */
export function filesOf(data: SpotData, part: "all" | "test"): SpotFiles | undefined {
  if (isPath(data)) return { folders: [data].flat(), lenience: {} };
  const list = [data].flat() as readonly (Hest | HestPairs | HestSample | SpotArrays)[];
  if (list.length === 0 || list.some((one) => typeof one !== "object" || one === null)) {
    throw new ConfigError("Cannot use the data: there are none, folders or samples are wanted", {
      hint: 'For example "data/hest", await openHest("data/hest"), or { id, images, genes, expression }',
    });
  }
  if (!list.some(isOpened)) {
    const strange = list.find((one) => !("images" in one && Array.isArray(one.images)));
    if (strange !== undefined) sourceOf(strange);
    return undefined;
  }
  const sources = list.map(sourceOf);
  const [{ disk, lenience }] = sources as [ReturnType<typeof sourceOf>];
  if (sources.some((one) => one.disk !== disk || JSON.stringify(one.lenience) !== JSON.stringify(lenience))) {
    throw new ConfigError("Cannot use the samples together: they were opened with other options", {
      hint: "Open their folders by one call of openHest",
    });
  }
  const held = new Set(part === "test" ? list.flatMap(heldOut) : []);
  const files = [...new Map(sources.flatMap(({ files }) => files).map((one) => [one.expression, one])).values()]
    .filter(({ id }) => held.size === 0 || held.has(id));
  return {
    folders: [...new Set(files.map(({ folder }) => folder))],
    samples: files.map(({ id }) => id),
    disk,
    lenience,
  };
}

function heldOut(data: Hest | HestPairs | HestSample | SpotArrays): readonly string[] {
  if (!("batches" in data)) return [];
  return data.samples.filter(({ part }) => part === "test").map(({ id }) => id);
}

/** Where counts are and what is let pass: as `more` says, and else as before. */
export function joined(lenience: Lenience = {}, more: Lenience = {}): Lenience {
  return { ...lenience, ...Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined)) };
}

/** How spots are opened. */
export interface SpotOptions {
  /** Of pairs that hold out: all, or those held out. */
  readonly part: "all" | "test";
  readonly reporter: Reporter;
  /** Where counts are and what is let pass, where the data do not say it. */
  readonly lenience: Lenience | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Opens spots for a run; without data those that it held out.
 *
 * @throws {ConfigError | DataError | FormatError} If they cannot be used.
 */
export async function openSpots(run: OpenedRun, data: SpotData | undefined, options: SpotOptions): Promise<Spots> {
  const files = data === undefined ? { folders: [], lenience: {} } : filesOf(data, options.part);
  if (files === undefined) return await inHand([data].flat() as readonly SpotArrays[], run);
  const { openRunData, organOf } = await import("../run/data.ts");
  const { lenience, ...which } = files;
  const expression = joined(options.lenience, lenience);
  const set = await openRunData(run, { ...which, expression }, options.reporter, options.signal);
  const organs = run.organs ? set.samples.map(({ files }) => organOf(files, undefined)) : undefined;
  return ofSet(set, which.disk ?? (await import("../io/fs.ts")).disk, organs);
}

function ofSet(set: TrainingSet, disk: NonNullable<RunData["disk"]>, organs: readonly number[] | undefined): Spots {
  const rows = (first: number, count: number) => Uint32Array.from({ length: count }, (_, i) => first + i);
  return {
    count: set.count,
    samples: set.samples.map(({ id, first, count, barcodes, spatial: { xy } }) => ({ id, first, count, barcodes, xy })),
    gather: (first, count) => set.gather(rows(first, count)),
    async *images(batch, signal) {
      const { PatchReader } = await import("../data/patch_reader.ts");
      const reader = new PatchReader(disk, set.patchTable());
      try {
        for (let first = 0; first < set.count; first += batch) {
          signal?.throwIfAborted();
          const count = Math.min(batch, set.count - first);
          const { data: pixels } = await reader.batch({ pairs: rows(first, count) });
          yield {
            first,
            count,
            side: reader.table.size,
            pixels,
            organs: organs && Array.from({ length: count }, (_, i) => organs[set.locate(first + i).sample]!),
          };
        }
      } finally {
        reader.close();
      }
    },
  };
}

/** A sample in hand, in its place. */
interface HandPart {
  readonly arrays: SpotArrays;
  readonly organ: number | undefined;
  readonly sample: SpotSample;
  /** Column of each gene of the run; -1 where it was not measured. */
  readonly columns: Int32Array;
}

async function inHand(list: readonly SpotArrays[], run: OpenedRun): Promise<Spots> {
  const { organId } = await import("../models/organ_token.ts");
  const { vocabulary } = run.model;
  const parts: HandPart[] = [];
  let count = 0;
  for (const arrays of list) {
    checkArrays(arrays);
    const { id, images, barcodes, coords, organ } = arrays;
    if (run.organs && organ === undefined) {
      throw new ConfigError(`Cannot use ${id}: the model has an organ token and no organ is named`, {
        hint: 'For example { id, images, organ: "Breast" }',
      });
    }
    const sample = {
      id,
      first: count,
      count: images.length,
      barcodes: barcodes ?? images.map((_, i) => String(i)),
      xy: coords ?? new Float64Array(2 * images.length).fill(NaN),
    };
    const columns = columnsOf(arrays, vocabulary);
    parts.push({ arrays, organ: run.organs ? organId(organ!) : undefined, sample, columns });
    count += images.length;
  }
  if (count === 0) {
    throw new DataError("Cannot use the samples: they have no images, one a spot wanted", { code: "no-samples" });
  }
  return {
    count,
    samples: parts.map(({ sample }) => sample),
    gather: (first, rows) => gatherHand(parts, first, rows, vocabulary.genes.length),
    images: (batch, signal) => handImages(parts, batch, signal),
  };
}

function gatherHand(parts: readonly HandPart[], first: number, count: number, genes: number): Float32Array {
  const out = new Float32Array(count * genes);
  for (let i = 0; i < count; i++) {
    const spot = first + i;
    const { arrays, sample, columns } = parts.find(({ sample }) => spot < sample.first + sample.count)!;
    const { id, expression, genes: own } = arrays;
    if (expression === undefined) {
      throw new DataError(`Cannot use ${id}: nothing was measured there, expression wanted`, {
        hint: "Pass genes and expression beside the images",
        context: { sample: id },
      });
    }
    const row = (spot - sample.first) * own!.length;
    columns.forEach((column, g) => column >= 0 && (out[i * genes + g] = expression[row + column]!));
  }
  return out;
}

async function* handImages(
  parts: readonly HandPart[],
  batch: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<SpotImages> {
  for (const { arrays: { images }, sample, organ } of parts) {
    for (let from = 0; from < images.length;) {
      signal?.throwIfAborted();
      const { count, ...some } = pixelsOf(await sameSize(images, from, batch));
      const organs = organ === undefined ? undefined : Array<number>(count).fill(organ);
      yield { first: sample.first + from, count, ...some, organs };
      from += count;
    }
  }
}

function checkArrays({ id, images, genes, expression, barcodes, coords }: SpotArrays): void {
  const refuse = (given: string, wanted: string): never => {
    throw new DataError(`Cannot use ${id}: ${given}, ${wanted} wanted`, { context: { sample: id } });
  };
  if (typeof id !== "string" || id === "") refuse("its id is missing", "a name");
  const n = images.length;
  if (barcodes !== undefined && barcodes.length !== n) refuse(`${barcodes.length} barcodes of ${n} images`, `${n}`);
  if (coords !== undefined && coords.length !== 2 * n) refuse(`${coords.length} coords of ${n} images`, `${2 * n}`);
  if ((genes === undefined) !== (expression === undefined)) refuse("genes or expression is missing", "both or neither");
  if (genes === undefined || expression === undefined) return;
  if (!(expression instanceof Float32Array)) refuse("expression is no Float32Array", "f32 [images, genes]");
  const twice = genes.find((name, i) => genes.indexOf(name) < i);
  if (twice !== undefined) refuse(`gene ${twice} stands twice`, "each once");
  if (expression.length !== n * genes.length) {
    refuse(
      `expression of ${expression.length} numbers`,
      `${n * genes.length} for ${n} images and ${genes.length} genes`,
    );
  }
  const bad = expression.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    refuse(`${expression[bad]} of ${genes[bad % genes.length]} at spot ${Math.floor(bad / genes.length)}`, "a number");
  }
}

/** Column of each gene of the run; -1 where it was not measured. */
function columnsOf({ id, genes }: SpotArrays, vocabulary: Vocabulary): Int32Array {
  if (genes === undefined) return new Int32Array(0);
  const place = new Map(genes.map((name, column) => [name.toUpperCase(), column]));
  const columns = Int32Array.from(vocabulary.genes, (name) => place.get(name) ?? -1);
  if (columns.some((column) => column >= 0)) return columns;
  throw new DataError(`Cannot use ${id}: none of the run's ${columns.length} genes was measured`, {
    code: "coverage",
    hint: `Names here are like ${genes.slice(0, 3).join(", ")}, wanted like ${vocabulary.genes.slice(0, 3).join(", ")}`,
    context: { sample: id },
  });
}

/** Images from `from` on that have one size, at most `most`. */
export async function sameSize(list: readonly ImageInput[], from: number, most: number): Promise<RgbImage[]> {
  const part = [await rgbOf(list[from]!, from)];
  for (let i = from + 1; i < list.length && part.length < most; i++) {
    const next = await rgbOf(list[i]!, i);
    if (next.width !== part[0]!.width || next.height !== part[0]!.height) break;
    part.push(next);
  }
  return part;
}

/** Squares of one size as one array. @throws {DataError} If they are no squares. */
export function pixelsOf(images: readonly RgbImage[]): Pick<SpotImages, "count" | "side" | "pixels"> {
  const [{ width, height }] = images as [RgbImage];
  if (width !== height) {
    throw new DataError(
      `Cannot use an image of ${width} x ${height} px: squares are wanted, as the run was trained on`,
      {
        hint: "Cut squares of 112 µm, such as 224 px at 0.5 µm a pixel",
        context: { width, height },
      },
    );
  }
  const pixels = new Uint8Array(images.length * width * height * 3);
  images.forEach(({ data }, i) => pixels.set(data, i * width * height * 3));
  return { count: images.length, side: width, pixels };
}
