/**
 * Genes of the synthetic data set: names, which fields each follows, and counts of a slide's spots.
 *
 * mu = exp(b + sum W F + delta + lambda); counts are negative binomial of size 4, by inversion of one uniform each, so that
 * every language draws the same.
 *
 * @module
 */

import { Philox } from "../../core/philox.ts";
import { FIELD, type Fields, PROGRAMS } from "./fields.ts";
import { GLOBAL, inHole, type Slide, STREAM } from "./slide.ts";

/** Genes of every slide. */
export const GENES = 200;
/** Genes that follow a visible field, and the end of those that follow any. */
export const VISIBLE_GENES = 120;
const HIDDEN_END = 150;
const CONTROLS = 190;
/** Size of the negative binomial. */
const SIZE = 4;
const MOST = 65535;

/** What all slides share. */
export interface GeneModel {
  readonly names: readonly string[];
  /** `[GENES, 8]`. */
  readonly loadings: Float64Array;
  /** `[GENES]`. */
  readonly base: Float64Array;
}

/** Draws names, loadings and base rates. */
export function geneModel(seed: number): GeneModel {
  const random = new Philox(seed, GLOBAL);
  const names: string[] = [];
  const loadings = new Float64Array(GENES * PROGRAMS);
  const base = new Float64Array(GENES);
  for (let g = 0; g < GENES; g++) {
    const [u0, u1, u2] = random.uniforms(g, 0, 0, STREAM.genes);
    const number = String(g).padStart(3, "0");
    base[g] = g < CONTROLS ? Math.log(0.6) + Math.log(20) * u2 : Math.log(0.05);
    if (g < VISIBLE_GENES) {
      const k = g % 6;
      names.push(`SYNV${k}G${number}`);
      loadings[g * PROGRAMS + k] = (u0 < 0.75 ? 1 : -1) * (0.5 + 0.4 * u1);
      const [v0, v1, v2] = random.uniforms(g, 1, 0, STREAM.genes);
      if (v1 < 0.5) loadings[g * PROGRAMS + (k + 1 + Math.floor(5 * v0)) % 6] = v2 < 0.5 ? 0.25 : -0.25;
    } else if (g < HIDDEN_END) {
      names.push(`SYNH${g % 2}G${number}`);
      loadings[g * PROGRAMS + 6 + g % 2] = 0.5 + 0.4 * u1;
    } else if (g < CONTROLS) names.push(`SYNHK${number}`);
    else names.push(`${g < 195 ? "NegControlProbe" : "BLANK"}_${number}`);
  }
  return { names, loadings, base };
}

/** What the generator knows of a slide's spots, and what a user sees of it. */
export interface Expression {
  /** Fields at the spots, `[spots, 8]`. */
  readonly fields: Float64Array;
  /** Expected counts, `[spots, GENES]`. */
  readonly mean: Float64Array;
  /** Counts, `[spots, GENES]`. */
  readonly counts: Uint16Array;
}

/** Draws the counts of a slide. */
export function drawExpression(slide: Slide, fields: Fields, { loadings, base }: GeneModel): Expression {
  const { spots, random, donorRandom } = slide;
  const offset = Float64Array.from(base, (_, g) => 0.25 * donorRandom.normals(g, 0, 0, STREAM.offset)[0]);
  const latent = new Float64Array(spots.length * PROGRAMS);
  const mean = new Float64Array(spots.length * GENES);
  const counts = new Uint16Array(mean.length);
  for (const [i, { x, y }] of spots.entries()) {
    const f = latent.subarray(i * PROGRAMS, (i + 1) * PROGRAMS);
    for (let k = 0; k < PROGRAMS; k++) f[k] = fields.at(k, x, y);
    const library = 0.25 * random.normals(i, 0, 0, STREAM.library)[0] +
      0.3 * (fields.squashed(FIELD.cellularity, x, y) - 0.5) + (inHole(slide, x, y) ? Math.log(0.05) : 0);
    for (let g = 0; g < GENES; g++) {
      let program = 0;
      for (let k = 0; k < PROGRAMS; k++) program += loadings[g * PROGRAMS + k]! * f[k]!;
      const mu = Math.exp(base[g]! + program + offset[g]! + library);
      mean[i * GENES + g] = mu;
      counts[i * GENES + g] = invert(mu, random.uniforms(i, g, 0, STREAM.counts)[0]);
    }
  }
  return { fields: latent, mean, counts };
}

/** The smallest k with P(count <= k) >= u. */
function invert(mu: number, u: number): number {
  let p = Math.exp(-SIZE * Math.log1p(mu / SIZE));
  let sum = p;
  let k = 0;
  while (sum < u && k < MOST) {
    p *= (k + SIZE) / (k + 1) * mu / (mu + SIZE);
    sum += p;
    k++;
  }
  return k;
}

/** Barcodes of a slide's spots, as of Visium: 16 bases and `-1`. */
export function barcodes({ spots, random }: Slide): string[] {
  const names = spots.map((_, i) => {
    const word = random.words(i, 0, 0, STREAM.barcodes)[0];
    return Array.from({ length: 16 }, (_, b) => "ACGT"[(word >>> (30 - 2 * b)) & 3]).join("") + "-1";
  });
  const seen = new Set<string>();
  // Equal words are too rare to meet; were they met, a joined table would be wrong in silence.
  for (const [i, name] of names.entries()) {
    if (seen.has(name)) names[i] = `${name.slice(0, -1)}${i + 2}`;
    seen.add(names[i]!);
  }
  return names;
}
