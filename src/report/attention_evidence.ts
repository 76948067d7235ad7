/**
 * Attention of a model of slides, as a part of a run's evidence: maps and tiles of some test cases, and what is said of cases
 * whose tiles are left out. Images lie beside it, `evaluation/attention_images/*.png`.
 *
 * @module
 */

import type { RgbImage } from "../io/image/rgb_image.ts";
import { type Check, count, exactly, flag, list, nullable, object, optional, positive, real, text } from "./schema.ts";

/** Version of the file. */
export const ATTENTION_SCHEMA = 1;

/** A tile with its attention. */
export interface AttentionTile {
  readonly slide: string;
  /** Top left, level-0 pixels, where the features have places. */
  readonly x?: number;
  readonly y?: number;
  /** Weight in its bag, 0 to 1. */
  readonly attention: number;
  /** File of its image, where the slide is there. */
  readonly image?: string;
}

/** A slide of a case. */
export interface AttentionSlide {
  readonly slide: string;
  readonly tiles: number;
  /** File of the map: attention by rank; missing where tiles have no places. */
  readonly map?: string;
  /** Whether the map lies over the slide; else it shows places alone. */
  readonly over: boolean;
  /** Attention at ranks 0, 1/4, 1/2, 3/4 and 1. */
  readonly quarters: readonly number[];
}

/** A test case that is shown. */
export interface AttentionCase {
  readonly case: string;
  readonly fold?: string;
  /** What is true of it, and what the model says, in words. */
  readonly truth: string;
  readonly said: string;
  /** Whether both are the same class; missing where there are none. */
  readonly right?: boolean;
  /** Tiles of the bag: even attention is one over it. */
  readonly tiles: number;
  readonly slides: readonly AttentionSlide[];
  /** From the most attention down, and from the least up. */
  readonly highest: readonly AttentionTile[];
  readonly lowest: readonly AttentionTile[];
}

/** What is said of one case without some of its tiles, a number a share; null where nothing is left to attend to. */
export interface LeftOut {
  readonly case: string;
  /** Without those of most, of least attention, and without tiles drawn at random, the mean of the draws. */
  readonly highest: readonly (number | null)[];
  readonly lowest: readonly (number | null)[];
  readonly random: readonly (number | null)[];
}

/** Cases whose tiles were left out. */
export interface LeaveOut {
  /** What the numbers are, as a title. */
  readonly what: string;
  /** Shares of the tiles that are left out, from 0 on. */
  readonly shares: readonly number[];
  readonly draws: number;
  readonly cases: readonly LeftOut[];
}

/** The content of `evaluation/attention.json`. */
export interface AttentionFile {
  readonly schema: typeof ATTENTION_SCHEMA;
  /** Name of the model in sentences. */
  readonly model: string;
  /** How the shown cases were chosen, in words. */
  readonly chosen: string;
  readonly cases: readonly AttentionCase[];
  readonly leave_out?: LeaveOut;
}

/** The same with its images, by their files. */
export interface AttentionEvidence extends AttentionFile {
  readonly images: ReadonlyMap<string, RgbImage>;
}

const tile: Check<AttentionTile> = object<AttentionTile>({
  slide: text,
  x: optional(real),
  y: optional(real),
  attention: real,
  image: optional(text),
});

const slide: Check<AttentionSlide> = object<AttentionSlide>({
  slide: text,
  tiles: count,
  map: optional(text),
  over: flag,
  quarters: list(real),
});

const shown: Check<AttentionCase> = object<AttentionCase>({
  case: text,
  fold: optional(text),
  truth: text,
  said: text,
  right: optional(flag),
  tiles: positive,
  slides: list(slide),
  highest: list(tile),
  lowest: list(tile),
});

const number = nullable(real);

const leftOut: Check<LeftOut> = object<LeftOut>({
  case: text,
  highest: list(number),
  lowest: list(number),
  random: list(number),
});

const fields: Check<AttentionFile> = object<AttentionFile>({
  schema: exactly(ATTENTION_SCHEMA),
  model: text,
  chosen: text,
  cases: list(shown),
  leave_out: optional(object<LeaveOut>({ what: text, shares: list(real), draws: count, cases: list(leftOut) })),
});

/** The file, with lists that are as long as the shares. */
export const attentionFile: Check<AttentionFile> = (value, place) => {
  const found = fields(value, place);
  const shares = found.leave_out?.shares.length ?? 0;
  found.leave_out?.cases.forEach((one, i) => {
    for (const key of ["highest", "lowest", "random"] as const) {
      if (one[key].length === shares) continue;
      place.fail(`leave_out.cases[${i}].${key}`, `${one[key].length} numbers`, `${shares}, one a share`);
    }
  });
  return found;
};

/** Files that it names. */
export function attentionImages({ cases }: AttentionFile): string[] {
  return cases.flatMap(({ slides, highest, lowest }) => [
    ...slides.flatMap(({ map }) => map ?? []),
    ...[...highest, ...lowest].flatMap(({ image }) => image ?? []),
  ]);
}
