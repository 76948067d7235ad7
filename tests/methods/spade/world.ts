/**
 * Worlds in which experts must win: every type of tissue has a relation of its own between image and expression. Three organs
 * with the same types, whose centres lie a little apart; a latent z shows in the image by one map, in the expression by one of
 * the type.
 */

import { Rng } from "../../../src/core/rng.ts";

/** Sizes and amplitudes. */
export interface WorldOptions {
  readonly rows: number;
  /** Rows that are trained on. */
  readonly train: number;
  readonly dim: number;
  readonly latent: number;
  /** Of z in the image. */
  readonly shown: number;
  readonly imageNoise: number;
  readonly geneNoise: number;
  /** Directions of the image that mean nothing, and their size. */
  readonly nuisance: { readonly count: number; readonly size: number };
}

/** The world of clusters. */
export const SG1: WorldOptions = {
  rows: 6400,
  train: 4800,
  dim: 32,
  latent: 8,
  shown: 1,
  imageNoise: 0.5,
  geneNoise: 1.5,
  nuisance: { count: 0, size: 0 },
};

/** The world of few labels. */
export const SG2: WorldOptions = {
  ...SG1,
  dim: 64,
  latent: 4,
  shown: 0.7,
  imageNoise: 0.3,
  geneNoise: 1,
  nuisance: { count: 16, size: 1.5 },
};

/** Organs, types, genes, and sections of each organ. */
export const WORLD = { organs: 3, types: 8, genes: 64, sections: 4 } as const;

/** A world. */
export interface World {
  readonly options: WorldOptions;
  /** `[rows, dim]`, `[rows, genes]`, `[rows, latent]`. */
  readonly image: Float32Array<ArrayBuffer>;
  readonly gene: Float32Array<ArrayBuffer>;
  readonly z: Float32Array;
  readonly organ: Uint8Array;
  readonly type: Uint8Array;
  /** Section of each row; organs have their own. */
  readonly section: Uint8Array;
  /** Centre of each organ's type, `[organs, types, dim]`. */
  readonly centres: Float64Array;
}

function unit(rng: Rng, dim: number, length: number): Float64Array {
  const v = Float64Array.from({ length: dim }, () => rng.normal());
  const norm = Math.hypot(...v);
  return v.map((value) => length * value / norm);
}

/** Makes a world. Training rows come first, by section. */
export function makeWorld(options: WorldOptions, seed: number): World {
  const { rows, train, dim, latent, shown, imageNoise, geneNoise, nuisance } = options;
  const { organs, types, genes, sections } = WORLD;
  const rng = new Rng(seed, 1);
  const coarse = Array.from({ length: types }, () => unit(rng, dim, 9));
  const centres = new Float64Array(organs * types * dim);
  for (let o = 0; o < organs; o++) {
    coarse.forEach((centre, k) => {
      const away = unit(rng, dim, 2.4);
      centre.forEach((value, j) => centres[(o * types + k) * dim + j] = value + away[j]!);
    });
  }
  const a = rng.normals(latent * dim, 1 / Math.sqrt(dim) * 2);
  const b = Array.from({ length: types }, () => rng.normals(latent * genes, 1 / Math.sqrt(latent)));
  const mean = Array.from({ length: types }, () => rng.normals(genes));
  const noise = rng.normals(nuisance.count * dim, 1 / Math.sqrt(dim));
  const image = new Float32Array(rows * dim);
  const gene = new Float32Array(rows * genes);
  const z = rng.normals(rows * latent);
  const [organ, type, section] = [new Uint8Array(rows), new Uint8Array(rows), new Uint8Array(rows)];
  const perSection = train / (organs * sections);
  for (let r = 0; r < rows; r++) {
    const s = r < train ? Math.floor(r / perSection) : organs * sections + r % organs;
    section[r] = s;
    const o = organ[r] = r < train ? Math.floor(s / sections) : r % organs;
    const k = type[r] = rng.below(types);
    for (let j = 0; j < dim; j++) image[r * dim + j] = centres[(o * types + k) * dim + j]! + imageNoise * rng.normal();
    for (let g = 0; g < genes; g++) gene[r * genes + g] = mean[k]![g]! + geneNoise * rng.normal();
    for (let i = 0; i < latent; i++) {
      const value = z[r * latent + i]!;
      for (let j = 0; j < dim; j++) image[r * dim + j]! += shown * value * a[i * dim + j]!;
      for (let g = 0; g < genes; g++) gene[r * genes + g]! += value * b[k]![i * genes + g]!;
    }
    for (let i = 0; i < nuisance.count; i++) {
      const value = nuisance.size * rng.normal();
      for (let j = 0; j < dim; j++) image[r * dim + j]! += value * noise[i * dim + j]!;
    }
  }
  return { options, image, gene, z, organ, type, section, centres };
}
