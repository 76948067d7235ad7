/**
 * Latent fields of a synthetic slide: smooth random functions of place that decide both how tissue looks and which genes it
 * expresses.
 *
 * F(x, y) = sqrt(2/24) sum over 24 waves of cos((n0 x + n1 y)/l + 2 pi u), about N(0, 1), and what the donor has more of it.
 *
 * @module
 */

import { type Slide, STREAM } from "./slide.ts";

const WAVES = 24;
/** Smoothness of each field, µm. */
const LENGTHS = [220, 220, 220, 220, 220, 220, 220, 220, 400, 140, 140] as const;
/** Distance of the nodes between which fields are interpolated for pixels, µm. */
export const NODE = 16;

/** Fields by what they do. */
export const FIELD = {
  cellularity: 0,
  nuclearSize: 1,
  chromatin: 2,
  lymphocytes: 3,
  fibrosis: 4,
  lumens: 5,
  hidden0: 6,
  hidden1: 7,
  fibrePhase: 8,
  haematoxylin: 9,
  eosin: 10,
} as const;

/** Number of fields that genes follow: the first eight. */
export const PROGRAMS = 8;

/** S = 1/(1 + exp(-1.5 F)). */
export function squash(f: number): number {
  return 1 / (1 + Math.exp(-1.5 * f));
}

/** The fields of one slide. */
export class Fields {
  readonly #nx: Float64Array = new Float64Array(LENGTHS.length * WAVES);
  readonly #ny: Float64Array = new Float64Array(LENGTHS.length * WAVES);
  readonly #phase: Float64Array = new Float64Array(LENGTHS.length * WAVES);

  /** What the donor has more than others of each. */
  readonly offsets: Float64Array = new Float64Array(LENGTHS.length);

  /** Draws the waves. */
  constructor({ random, donorRandom, donorFields = 0 }: Pick<Slide, "random" | "donorRandom" | "donorFields">) {
    for (let f = 0; donorFields > 0 && f < PROGRAMS; f++) {
      this.offsets[f] = donorFields * donorRandom.normals(f, 0, 0, STREAM.donors)[0];
    }
    for (let f = 0; f < LENGTHS.length; f++) {
      for (let m = 0; m < WAVES; m++) {
        const at = f * WAVES + m;
        [this.#nx[at], this.#ny[at]] = random.normals(m, f, 0, STREAM.fields);
        this.#phase[at] = 2 * Math.PI * random.uniforms(m, f, 1, STREAM.fields)[0];
      }
    }
  }

  /** F of a field at a place in µm. */
  at(field: number, x: number, y: number): number {
    const length = LENGTHS[field]!;
    let sum = 0;
    for (let at = field * WAVES; at < (field + 1) * WAVES; at++) {
      sum += Math.cos((this.#nx[at]! * x + this.#ny[at]! * y) / length + this.#phase[at]!);
    }
    return Math.sqrt(2 / WAVES) * sum + this.offsets[field]!;
  }

  /** S of a field at a place in µm. */
  squashed(field: number, x: number, y: number): number {
    return squash(this.at(field, x, y));
  }
}
