/**
 * Augmentation of patches, before normalisation, on RGB in [0, 1]: a pure function of the image and of (seed, epoch,
 * index), whoever computes it and in which order.
 *
 * The reference names `soft` and `hard` and does not say what they are. Here
 *
 * - `soft` is a left-right and an up-down mirror image, each with probability 1/2, and 0 to 3 quarter turns: one of the
 *   eight of `dihedral.ts`, all equally likely;
 * - `hard` is `soft` and
 *   - with probability 0.3 the middle 0.8 to 1 of the area enlarged,
 *   - with probability 0.5 another colour: brightness, contrast and saturation times 0.8 to 1.2 and hue shifted by up to
 *     0.05 turns, in random order; or the three stains times 0.95 to 1.05 and plus -0.05 to 0.05,
 *   - with probability 0.1 a Gaussian blur of sigma 0.1 to 1.5 pixels.
 *
 * All keep the spot in the middle. `view` gives a fixed list of variants instead, for features that are computed once and
 * kept: views 0 to 7 are the eight of `dihedral.ts`, later ones have colours of their own as well.
 *
 * @module
 */

import { ConfigError, ShapeError } from "../../core/errors.ts";
import { Rng, threefry2x32 } from "../../core/rng.ts";
import { blur } from "./blur.ts";
import { type ColourJitter, jitterColour, JITTERS } from "./colour_jitter.ts";
import { compose, DIHEDRAL, turn } from "./dihedral.ts";
import { type HedJitter, jitterHed } from "./hed_jitter.ts";
import { zoom } from "./zoom.ts";

/** Names of the recipes. */
export const RECIPES = ["none", "soft", "hard"] as const;

/** How much is changed. */
export type Recipe = (typeof RECIPES)[number];

/** How colours change: by `jitter`, by `hed`, or by one or the other with equal odds. */
export type Colours = "jitter" | "hed" | "either";

/** What the changes of one image depend on; 32 bits of each count. */
export interface AugmentKey {
  readonly seed: number;
  readonly epoch: number;
  /** Number of the pair. */
  readonly index: number;
}

/** Options of {@linkcode augment}. */
export interface AugmentOptions extends AugmentKey {
  /** `either` by default. */
  readonly colours?: Colours | undefined;
}

/** Options of {@linkcode view}. */
export interface ViewOptions {
  /** Of the run; needed from view 8 on. */
  readonly seed?: number;
  /** Number of the pair; needed from view 8 on. */
  readonly index?: number;
  /** `jitter` by default. */
  readonly colours?: Colours | undefined;
}

/** What is done to an image, in this order: enlarged, turned, coloured, blurred. */
export interface Changes {
  /** Side of the part enlarged, as a share; 1 for none. */
  readonly side: number;
  /** One of the eight of `dihedral.ts`. */
  readonly turn: number;
  readonly colour: ColourJitter | HedJitter | undefined;
  /** Of the blur, in pixels; 0 for none. */
  readonly sigma: number;
}

/** Streams, so that uses of one seed are independent. */
const STREAM = { augment: 0x61756731, view: 0x76696577, choice: 0x70696373 };

function rngOf(seed: number, stream: number, a: number, b: number): Rng {
  const [key0, key1] = threefry2x32(seed, stream, a, b);
  return new Rng(key0, key1);
}

/** Factors of the recipe, done in random order. */
function drawJitter(rng: Rng): ColourJitter {
  const factor = () => 0.8 + 0.4 * rng.uniform();
  const [brightness, contrast, saturation] = [factor(), factor(), factor()];
  return {
    brightness,
    contrast,
    saturation,
    hue: 0.1 * rng.uniform() - 0.05,
    order: [...rng.permutation(JITTERS.length)],
  };
}

function drawHed(rng: Rng): HedJitter {
  const three = (middle: number) =>
    [0, 0, 0].map(() => middle - 0.05 + 0.1 * rng.uniform()) as [number, number, number];
  return { scale: three(1), shift: three(0) };
}

/** Draws both kinds whatever is wanted, so that the choice changes nothing else. */
function drawColour(rng: Rng, colours: Colours): ColourJitter | HedJitter {
  const coin = rng.uniform() < 0.5;
  const [jitter, hed] = [drawJitter(rng), drawHed(rng)];
  return colours === "jitter" || (colours === "either" && coin) ? jitter : hed;
}

/** What {@linkcode augment} does to an image. */
export function drawChanges(recipe: Recipe, options: AugmentOptions): Changes {
  if (!RECIPES.includes(recipe)) {
    throw new ConfigError(`Cannot augment by ${recipe}: ${RECIPES.join(", ")} wanted`, { context: { given: recipe } });
  }
  const still: Changes = { side: 1, turn: 0, colour: undefined, sigma: 0 };
  if (recipe === "none") return still;
  const rng = rngOf(options.seed, STREAM.augment, options.epoch, options.index);
  // An up-down mirror image is the left-right one (4) and half a turn (2).
  const mirrors = compose(rng.uniform() < 0.5 ? 4 : 0, rng.uniform() < 0.5 ? 6 : 0);
  const turned = { ...still, turn: compose(mirrors, rng.below(4)) };
  if (recipe === "soft") return turned;
  const enlarge = rng.uniform() < 0.3;
  const side = Math.sqrt(0.8 + 0.2 * rng.uniform());
  const recolour = rng.uniform() < 0.5;
  const colour = drawColour(rng, options.colours ?? "either");
  const blurred = rng.uniform() < 0.1;
  const sigma = 0.1 + 1.4 * rng.uniform();
  return {
    ...turned,
    side: enlarge ? side : 1,
    colour: recolour ? colour : undefined,
    sigma: blurred ? sigma : 0,
  };
}

/** What {@linkcode view} does to an image. */
export function viewChanges(k: number, options: ViewOptions = {}): Changes {
  if (!Number.isSafeInteger(k) || k < 0) throw new ConfigError(`Cannot make view ${k}: a whole number from 0 wanted`);
  const plain: Changes = { side: 1, turn: k % DIHEDRAL, colour: undefined, sigma: 0 };
  if (k < DIHEDRAL) return plain;
  const { seed, index, colours = "jitter" } = options;
  if (seed === undefined || index === undefined) {
    throw new ConfigError(`Cannot make view ${k}: seed or index is missing, both wanted from view ${DIHEDRAL} on`);
  }
  return { ...plain, colour: drawColour(rngOf(seed, STREAM.view, index, k), colours) };
}

/**
 * Changes an image.
 *
 * @param rgb `[size, size, 3]`, not written to.
 * @returns A new array; exact where nothing but turns is asked for, else rounded once at the end.
 * @throws {ShapeError} If the image is no square of that size.
 */
export function applyChanges(rgb: Uint8Array, size: number, changes: Changes): Uint8Array<ArrayBuffer> {
  if (rgb.length !== size * size * 3) {
    throw new ShapeError(`Cannot augment an image: ${rgb.length} bytes, ${size} x ${size} x 3 wanted`);
  }
  const { side, colour, sigma } = changes;
  const turned = turn(rgb, size, changes.turn) as Uint8Array<ArrayBuffer>;
  if (side === 1 && colour === undefined && sigma === 0) return turned;
  let values = new Float32Array(turned.length);
  for (let i = 0; i < values.length; i++) values[i] = turned[i]! / 255;
  // The part enlarged is a square in the middle, so it does not matter that it is turned already.
  if (side !== 1) values = zoom(values, size, side);
  if (colour !== undefined) "hue" in colour ? jitterColour(values, colour) : jitterHed(values, colour);
  if (sigma !== 0) values = blur(values, size, sigma);
  for (let i = 0; i < values.length; i++) turned[i] = Math.floor(Math.min(1, Math.max(0, values[i]!)) * 255 + 0.5);
  return turned;
}

/**
 * Augments an image.
 *
 * @param rgb `[size, size, 3]`, not written to.
 * @param size Pixels.
 * @returns A new array.
 * @throws {ConfigError} If there is no such recipe.
 * @throws {ShapeError} If the image is no square of that size.
 */
export function augment(
  rgb: Uint8Array,
  size: number,
  recipe: Recipe,
  options: AugmentOptions,
): Uint8Array<ArrayBuffer> {
  return applyChanges(rgb, size, drawChanges(recipe, options));
}

/**
 * One of an image's fixed variants.
 *
 * @param k From 0: below 8 an element of `dihedral.ts` (0 the image itself), from 8 on element `k % 8` in colours drawn by
 * (seed, index, k).
 * @returns A new array.
 * @throws {ConfigError} If `k` is no natural number, or needs a seed and an index.
 */
export function view(rgb: Uint8Array, size: number, k: number, options: ViewOptions = {}): Uint8Array<ArrayBuffer> {
  return applyChanges(rgb, size, viewChanges(k, options));
}

/**
 * Which of `views` fixed variants a pair shows in an epoch; all are equally likely.
 *
 * @returns 0 to `views - 1`.
 */
export function viewOf(views: number, { seed, epoch, index }: AugmentKey): number {
  return rngOf(seed, STREAM.choice, epoch, index).below(views);
}
