/**
 * Whether image and counts of a sample are of the same places: where there are more nuclei there is more RNA, so that
 * haematoxylin and total counts rise together. Of a sample whose image is shifted or turned they do not.
 *
 * Sources: github.com/mahmoodlab/HEST, issue 59 (a released sample that is misaligned); Ruifrok and Johnston, 2001, for the
 * stains.
 *
 * @module
 */

import { fixed } from "../core/fixed.ts";
import type { Patches } from "../io/patches.ts";
import { UNMIX } from "./image/hed_jitter.ts";
import type { LoadedSample } from "./load_sample.ts";
import { rowSums } from "./matrix.ts";

/** Pairs looked at, spread over all; fewer than the least tell nothing. */
const MOST_PAIRS = 400;
const LEAST_PAIRS = 100;
/** Every so manyth pixel of a patch along both sides. */
const STEP = 4;

/** Optical density of a byte. */
const DENSITY = Float64Array.from({ length: 256 }, (_, value) => -Math.log10(Math.max(value, 1) / 255));

/** Mean concentration of haematoxylin in a patch, `[side, side, 3]`. */
export function haematoxylin(rgb: Uint8Array, side: number): number {
  let [sum, count] = [0, 0];
  for (let y = 0; y < side; y += STEP) {
    for (let x = 0; x < side; x += STEP, count++) {
      const at = (y * side + x) * 3;
      for (let c = 0; c < 3; c++) sum += DENSITY[rgb[at + c]!]! * UNMIX[c as 0][0];
    }
  }
  return sum / Math.max(1, count);
}

/** Spearman's correlation: Pearson's of the ranks, ties sharing theirs; NaN where one side is constant. */
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [p, q] = [ranksOf(a), ranksOf(b)];
  const mean = (a.length - 1) / 2;
  let [pp, pq, qq] = [0, 0, 0];
  for (let i = 0; i < p.length; i++) {
    const [u, v] = [p[i]! - mean, q[i]! - mean];
    pp += u * u;
    pq += u * v;
    qq += v * v;
  }
  return pq / Math.sqrt(pp * qq);
}

function ranksOf(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const ranks = new Float64Array(values.length);
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (let k = from; k < to; k++) ranks[order[k]!] = (from + to - 1) / 2;
    from = to;
  }
  return ranks;
}

/**
 * Compares haematoxylin with total counts over at most 400 pairs.
 *
 * @param patches The sample's open patch file.
 * @returns A warning where they do not rise together, of samples with 100 pairs or more.
 */
export function alignmentWarning(
  { id, count, raw, patches: { rows } }: Pick<LoadedSample, "id" | "count" | "raw" | "patches">,
  patches: Pick<Patches, "read" | "width">,
): string | undefined {
  if (count < LEAST_PAIRS) return undefined;
  const most = Math.min(MOST_PAIRS, count);
  const chosen = Array.from({ length: most }, (_, i) => Math.floor(i * count / most));
  const totals = rowSums(raw.matrix);
  const stain = chosen.map((pair) => haematoxylin(patches.read(rows[pair]!, rows[pair]! + 1), patches.width));
  const together = rankCorrelation(stain, chosen.map((pair) => totals[pair]!));
  // Of a sound sample with few pairs the correlation may come out below 0 by chance: by one standard error it is let be.
  if (!(together <= -1 / Math.sqrt(most - 1))) return undefined;
  return `${id}: more nuclei do not go with more counts (rank correlation ${
    fixed(together, 2)
  } over ${chosen.length} ` +
    "pairs): the image may be shifted or turned against the spots";
}
