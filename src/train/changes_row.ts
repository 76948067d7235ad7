/**
 * What is done to a patch as a row of numbers that the device reads: see `src/ops/augment.ts`.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { CHANGE, CHANGE_WORDS, MOST_RADIUS, type Reach } from "../ops/augment.ts";
import type { Changes, Recipe } from "../data/image/augment.ts";
import { blurWeights } from "../data/image/blur.ts";
import { type ColourJitter, JITTERS } from "../data/image/colour_jitter.ts";
import { DIHEDRAL, turnedFrom } from "../data/image/dihedral.ts";
import { type HedJitter, hedMap } from "../data/image/hed_jitter.ts";

/** What changes of a recipe may ask for; undefined for none. */
export function reachOf(recipe: Recipe): Reach | undefined {
  return recipe === "none" ? undefined : recipe === "soft" ? "turn" : "blur";
}

/** What views may ask for; undefined where they are the patch as it is. */
export function reachOfViews(views: readonly number[]): Reach | undefined {
  const most = Math.max(...views);
  return most === 0 ? undefined : most < DIHEDRAL ? "turn" : "colour";
}

/** Units of a share. */
const ONE = 2 ** 32;

/** Most steps of a jitter: bytes of a word. */
const STEPS = 4;

function putJitter(words: Uint32Array, numbers: Float32Array, jitter: ColourJitter): void {
  const steps = jitter.order.filter((place) => JITTERS[place] !== undefined);
  if (steps.length > STEPS) {
    throw new ConfigError(`Cannot change colours in ${steps.length} steps: at most ${STEPS} wanted`);
  }
  words[CHANGE.kind] = 1;
  steps.forEach((place, i) => words[CHANGE.steps]! += (place + 1) * 256 ** i);
  const { brightness, contrast, saturation, hue } = jitter;
  numbers.set([brightness, contrast, saturation, 6 * hue], CHANGE.factors);
  words[CHANGE.contrast] = Number(steps.some((place) => JITTERS[place] === "contrast"));
}

function putStains(words: Uint32Array, numbers: Float32Array, jitter: HedJitter): void {
  const { matrix, offset } = hedMap(jitter);
  words[CHANGE.kind] = 2;
  numbers.set(matrix, CHANGE.stains);
  numbers.set(offset.map((shift) => Math.LN10 * shift), CHANGE.stains + 9);
}

function putSide(words: Uint32Array, size: number, side: number): void {
  words[CHANGE.side] = Math.min(ONE - 1, Math.round(side * ONE));
  // Pixel 0 is at size / 2 + (0.5 - size / 2) side - 0.5 of the image before.
  const start = (size - 1) / 2 * (1 - side);
  const whole = Math.floor(start);
  words[CHANGE.start] = whole;
  words[CHANGE.start + 1] = Math.min(ONE - 1, Math.round((start - whole) * ONE));
}

/**
 * Writes the row of one patch.
 *
 * @param words `[CHANGE_WORDS]`, written whole.
 * @param size Side of the patch, pixels.
 * @throws {ConfigError} If the blur is wider, or the jitter longer, than a row can say.
 */
export function changesRow(words: Uint32Array, size: number, { side, turn, colour, sigma }: Changes): void {
  const numbers = new Float32Array(words.buffer, words.byteOffset, CHANGE_WORDS);
  words.fill(0);
  const { first, down, right } = turnedFrom(size, turn);
  words.set([first, down, right], CHANGE.turn);
  if (side !== 1) putSide(words, size, side);
  if (colour !== undefined) "hue" in colour ? putJitter(words, numbers, colour) : putStains(words, numbers, colour);
  if (sigma === 0) return;
  const weights = blurWeights(sigma);
  const radius = weights.length >> 1;
  if (radius > MOST_RADIUS) {
    throw new ConfigError(
      `Cannot blur with sigma ${sigma}: its radius is ${radius} pixels, at most ${MOST_RADIUS} wanted`,
    );
  }
  words[CHANGE.radius] = radius;
  numbers.set(weights.subarray(radius), CHANGE.weights);
}

/** Rows of several patches, `[n, CHANGE_WORDS]`. */
export function changesRows(size: number, changes: readonly Changes[]): Uint32Array<ArrayBuffer> {
  const rows = new Uint32Array(changes.length * CHANGE_WORDS);
  changes.forEach((each, i) => changesRow(rows.subarray(i * CHANGE_WORDS, (i + 1) * CHANGE_WORDS), size, each));
  return rows;
}
