/**
 * Tissue by its colour, without weights: what has more chroma than Otsu's threshold or is much darker than the background,
 * without the ink of pens, black frames, specks and pinholes. A slide without tissue has none.
 *
 * Source: N. Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. SMC 9 (1979) 62-66.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import type { RgbImage } from "../../io/image/rgb_image.ts";
import { shrink } from "../hest_sample.ts";
import { closed, dilated, fillHoles, type Mask, removeSmall } from "./mask.ts";
import type { Slide } from "./slide.ts";

/** Numbers of the method; grey levels are of 255. */
export interface TissueOptions {
  /** µm a pixel the slide is made small to; coarser where that gives more than 4,000 pixels a side. */
  readonly spacing: number;
  /** Most of the brightest channel that is a black frame. */
  readonly black: number;
  /** Luma above which the background is looked for. */
  readonly bright: number;
  /** Keeps the ink of pens. */
  readonly keepPen: boolean;
  /** Blue ink: least chroma, and least of blue over red. */
  readonly bluePen: readonly [chroma: number, over: number];
  /** Green ink: least chroma, and least of green over the larger of red and blue. */
  readonly greenPen: readonly [chroma: number, over: number];
  /** Least of the brightest channel of ink. */
  readonly penBrightness: number;
  /** Bounds of Otsu's threshold of chroma. */
  readonly threshold: readonly [least: number, most: number];
  /** Least of the largest chroma, and least distance of the two classes' means, of a slide with tissue. */
  readonly leastChroma: number;
  readonly leastDistance: number;
  /** Dark tissue of little colour: least of the background over its luma, and least chroma. */
  readonly dark: readonly [below: number, chroma: number];
  /** Radius of the disc that closes gaps, µm. */
  readonly close: number;
  /** Least area of pieces, and of holes that stay, µm². */
  readonly piece: number;
  readonly hole: number;
  /** Keeps holes of any area. */
  readonly keepHoles: boolean;
}

/** The numbers as they are unless somebody says otherwise. */
export const TISSUE: TissueOptions = {
  spacing: 8,
  black: 10,
  bright: 200,
  keepPen: false,
  bluePen: [110, 90],
  greenPen: [60, 20],
  penBrightness: 60,
  threshold: [8, 40],
  leastChroma: 8,
  leastDistance: 6,
  dark: [60, 6],
  close: 24,
  piece: 1e5,
  hole: 1e5,
  keepHoles: false,
};

/** Longest side of the small image, pixels. */
export const MOST_SIDE = 4000;
/** Shares of tissue outside of which a slide is worth a look. */
const USUAL: readonly [number, number] = [0.001, 0.9];

/** Tissue of an image, and what is to be said of how it was found. */
export interface Tissue extends Mask {
  /** µm a pixel of the mask. */
  readonly spacing: number;
  /** Chroma (largest less smallest channel) from which a pixel is tissue. */
  readonly threshold: number;
  /** Distance of the mean chroma of Otsu's two classes. */
  readonly distance: number;
  /** Luma of the background. */
  readonly background: number;
  /** Share of the image that is tissue. */
  readonly share: number;
  readonly pieces: number;
  /** Shares of the image that are ink and black frame. */
  readonly pen: number;
  readonly frame: number;
  /** Why somebody should look at it: less than 0.1 % tissue, or more than 90 %. */
  readonly unusual: "none" | "little" | "much" | undefined;
}

/** Otsu's threshold: bins below it are one class, it and those above the other. 0 where all is in one bin. */
export function otsu(histogram: ArrayLike<number>): number {
  return otsuClasses(histogram).threshold;
}

/** Steps between the least and the greatest value. */
const STEPS = 256;

/**
 * Otsu's threshold of numbers, NaN left out; infinite where all are equal, so that nothing lies beyond it.
 *
 * @param darker Whether what lies below it is meant.
 */
export function otsuOf(values: Float32Array, darker = false): number {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(high > low)) return darker ? -Infinity : Infinity;
  const histogram = new Float64Array(STEPS);
  for (const value of values) {
    if (!Number.isNaN(value)) histogram[Math.min(STEPS - 1, Math.floor((value - low) / (high - low) * STEPS))]!++;
  }
  return low + otsu(histogram) * (high - low) / STEPS;
}

function otsuClasses(histogram: ArrayLike<number>): { threshold: number; distance: number } {
  const bins = Array.from(histogram);
  const total = bins.reduce((a, b) => a + b, 0);
  const sum = bins.reduce((a, b, i) => a + b * i, 0);
  let [below, sumBelow, best, threshold, distance] = [0, 0, 0, 0, 0];
  for (let t = 1; t < bins.length; t++) {
    below += bins[t - 1]!;
    sumBelow += bins[t - 1]! * (t - 1);
    if (below === 0 || below === total) continue;
    const apart = (sum - sumBelow) / (total - below) - sumBelow / below;
    const between = below * (total - below) * apart * apart;
    if (between > best) [best, threshold, distance] = [between, t, apart];
  }
  return { threshold, distance };
}

/**
 * Finds tissue in an image.
 *
 * @param spacing µm a pixel of the image.
 */
export function findTissue(image: RgbImage, spacing: number, options: Partial<TissueOptions> = {}): Tissue {
  const by = { ...TISSUE, ...options };
  checkOptions(by);
  const { width, height } = image;
  const pixels = width * height;
  const { chroma, luma, pen, frame } = colours(image, by);
  const smooth = smoothed(chroma, width, height);
  const histogram = new Uint32Array(256);
  const lumas = new Uint32Array(256);
  let most = 0;
  for (let i = 0; i < pixels; i++) {
    if (frame[i] || pen[i]) continue;
    histogram[smooth[i]!]!++;
    lumas[luma[i]!]!++;
    if (smooth[i]! > most) most = smooth[i]!;
  }
  const { threshold: found, distance } = otsuClasses(histogram);
  const threshold = Math.min(by.threshold[1], Math.max(by.threshold[0], found));
  const background = modeAbove(lumas, by.bright);
  const mask = new Uint8Array(pixels);
  if (most >= by.leastChroma && distance >= by.leastDistance) {
    for (let i = 0; i < pixels; i++) {
      const dark = luma[i]! < background - by.dark[0] && smooth[i]! >= by.dark[1];
      if ((smooth[i]! >= threshold || dark) && !frame[i] && !pen[i]) mask[i] = 1;
    }
  }
  const shaped = { width, height, mask: closed({ width, height, mask }, by.close / spacing) };
  // Closing may have bridged ink.
  for (let i = 0; i < pixels; i++) if (pen[i] || frame[i]) shaped.mask[i] = 0;
  const count = removeSmall(shaped, by.piece / spacing ** 2);
  if (!by.keepHoles) fillHoles(shaped, by.hole / spacing ** 2);
  for (let i = 0; i < pixels; i++) if (pen[i]) shaped.mask[i] = 0;
  const shareOf = (bytes: Uint8Array) => bytes.reduce((a, b) => a + b, 0) / pixels;
  const share = shareOf(shaped.mask);
  const said = { spacing, threshold, distance, background, share, pieces: count, unusual: unusualOf(share) };
  return { ...shaped, ...said, pen: shareOf(pen), frame: shareOf(frame) };
}

function unusualOf(share: number): Tissue["unusual"] {
  if (share === 0) return "none";
  return share < USUAL[0] ? "little" : share > USUAL[1] ? "much" : undefined;
}

function checkOptions(by: TissueOptions): void {
  for (const [name, value] of Object.entries(by)) {
    const numbers = typeof value === "boolean" ? [] : [value].flat() as number[];
    const least = name === "spacing" ? Number.MIN_VALUE : 0;
    if (numbers.every((number) => Number.isFinite(number) && number >= least)) continue;
    throw new ConfigError(`Cannot find tissue: ${name} is ${numbers.join(", ")}, numbers of at least 0 wanted`, {
      context: { option: name, value },
    });
  }
}

/** Chroma and luma of each pixel, and which are ink and black frame. */
function colours({ width, height, data }: RgbImage, by: TissueOptions) {
  const pixels = width * height;
  const [chroma, luma, ink, frame] = [0, 1, 2, 3].map(() => new Uint8Array(pixels)) as [
    ...[Uint8Array, Uint8Array],
    ...[Uint8Array, Uint8Array],
  ];
  let inked = false;
  for (let i = 0, at = 0; i < pixels; i++, at += 3) {
    const [r, g, b] = [data[at]!, data[at + 1]!, data[at + 2]!];
    const [most, least] = [Math.max(r, g, b), Math.min(r, g, b)];
    const c = most - least;
    chroma[i] = c;
    luma[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
    if (most <= by.black) frame[i] = 1;
    const blue = c >= by.bluePen[0] && b - r > by.bluePen[1];
    const green = c >= by.greenPen[0] && g - Math.max(r, b) > by.greenPen[1];
    if (by.keepPen || most < by.penBrightness || !(blue || green)) continue;
    ink[i] = 1;
    inked = true;
  }
  // Means of three by three pixels carry ink one pixel further, where it is no tissue either.
  return { chroma, luma, frame, pen: inked ? dilated({ width, height, mask: ink }, Math.SQRT2) : ink };
}

/** Means of three by three pixels, of what lies inside. */
function smoothed(values: Uint8Array, width: number, height: number): Uint8Array {
  const rows = new Uint16Array(values.length);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      rows[i] = values[i]! + (x > 0 ? values[i - 1]! : 0) + (x < width - 1 ? values[i + 1]! : 0);
    }
  }
  const out = new Uint8Array(values.length);
  for (let y = 0, i = 0; y < height; y++) {
    const down = 1 + (y > 0 ? 1 : 0) + (y < height - 1 ? 1 : 0);
    for (let x = 0; x < width; x++, i++) {
      const across = 1 + (x > 0 ? 1 : 0) + (x < width - 1 ? 1 : 0);
      const sum = rows[i]! + (y > 0 ? rows[i - width]! : 0) + (y < height - 1 ? rows[i + width]! : 0);
      out[i] = Math.round(sum / (across * down));
    }
  }
  return out;
}

/** The value above `least` that is met most often, the first of several; 255 where none is. */
function modeAbove(histogram: Uint32Array, least: number): number {
  let [best, count] = [255, 0];
  for (let value = Math.floor(least) + 1; value < histogram.length; value++) {
    if (histogram[value]! > count) [best, count] = [value, histogram[value]!];
  }
  return best;
}

/** Tissue of a slide, and pixels of its mask a pixel of level 0, across and down: sides are rounded. */
export interface SlideTissue extends Tissue {
  readonly scale: readonly [x: number, y: number];
  /** The level it was looked for on, and the share of that which is damaged. */
  readonly level: number;
  readonly lost: number;
}

/**
 * Finds tissue on a slide, of which it makes a small image.
 *
 * @param pixelSize µm a pixel of level 0.
 * @param onRows Told which share of the slide was read.
 */
export async function slideTissue(
  slide: Slide,
  pixelSize: number,
  options: Partial<TissueOptions> = {},
  onRows?: (share: number) => void,
): Promise<SlideTissue> {
  const { spacing } = { ...TISSUE, ...options };
  const { width, height } = slide.levels[0]!;
  const wanted = Math.max(spacing / pixelSize, Math.max(width, height) / MOST_SIDE, 1);
  // A level that is about right is taken as it is.
  const near = slide.levels.find(({ downsample }) => Math.abs(downsample - wanted) <= 0.1)?.downsample;
  const small = await shrink(slide, Math.max(1, Math.round(Math.max(width, height) / (near ?? wanted))), onRows);
  return {
    ...findTissue(small, pixelSize / small.scale, options),
    scale: [small.width / width, small.height / height],
    level: small.level,
    lost: small.lost,
  };
}
