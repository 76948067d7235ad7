/**
 * A world of patients: a factor z shapes the tumour's RNA and, faintly, its tiles, whose types occur as often as z says; sites
 * stain differently, and most of what a tile shows means nothing.
 */

import { Rng } from "../../../src/core/rng.ts";
import type { FoldPart } from "../../../src/data/cohort/cohort_table.ts";
import { BULK_CONFIG, type BulkConfig } from "../../../src/methods/bulk/config.ts";
import type { BulkData } from "../../../src/methods/bulk/data.ts";

/** Sizes. */
export const KW1 = { factor: 6, types: 5, sites: 12, stain: 4, nuisance: 8, hidden: 96, dim: 64, genes: 100 } as const;

/** A configuration by its keys. */
export function configOf(given: Readonly<Record<string, string | number | boolean>>): BulkConfig {
  const all = { features: "f", expression: "e", ...given };
  return BULK_CONFIG.read([], Object.entries(all).map(([key, value]): [string, string] => [key, String(value)])).config;
}

/** Product of a row with a matrix `[from, to]`. */
export function times(row: ArrayLike<number>, matrix: Float32Array, to: number): Float64Array {
  const out = new Float64Array(to);
  for (let i = 0; i < row.length; i++) for (let j = 0; j < to; j++) out[j]! += row[i]! * matrix[i * to + j]!;
  return out;
}

/** Patients of a world as training sees them: the last quarter is tested on, a tenth of the others watches. */
export function makeWorld(seed: number, patients: number, tiles: number): BulkData {
  const { factor, types, sites, stain, nuisance, hidden, dim, genes } = KW1;
  const rng = new Rng(seed, 1);
  const w = rng.normals(factor * types);
  const inputs = types + factor + stain + nuisance;
  const m1 = rng.normals(inputs * hidden, 1 / 4);
  const m2 = rng.normals(hidden * dim, 1 / 8);
  const shifts = rng.normals(sites * stain, 2);
  const r = rng.normals((3 * types + factor) * genes);
  const raw = new Float32Array(patients * genes);
  const z = rng.normals(patients * factor);
  const slides = Array.from({ length: patients }, (_, p) => {
    const own = z.subarray(p * factor, (p + 1) * factor);
    const logits = times(own, w, types);
    const top = Math.max(...logits);
    const sum = logits.reduce((a, b) => a + Math.exp(b - top), 0);
    const prevalence = logits.map((value) => Math.exp(value - top) / sum);
    const rows = new Float32Array(tiles * dim);
    const site = rng.below(sites);
    for (let t = 0; t < tiles; t++) {
      let [at, type] = [rng.uniform(), 0];
      while (type + 1 < types && at > prevalence[type]!) at -= prevalence[type++]!;
      const shown = [
        ...Array.from({ length: types }, (_, k) => (k === type ? 1 : 0)),
        ...Array.from(own, (value) => 0.5 * value + 0.6 * rng.normal()),
        ...Array.from({ length: stain }, (_, k) => shifts[site * stain + k]! + 0.3 * rng.normal()),
        ...Array.from({ length: nuisance }, () => 2.5 * rng.normal()),
      ];
      const tile = times(times(shown, m1, hidden).map(Math.tanh), m2, dim);
      tile.forEach((value, j) => rows[t * dim + j] = 6 * value + 0.3 * rng.normal());
    }
    const cause = [
      ...prevalence.map((q) => 4 * q),
      ...prevalence.map((q) => 4 * q * q),
      ...prevalence.map((q) => 2 * Math.sqrt(q)),
      ...own,
    ];
    times(cause, r, genes).forEach((value, g) => raw[p * genes + g] = value + 0.5 * rng.normal());
    const part: FoldPart = p >= 0.75 * patients ? "test" : p % 10 === 0 ? "val" : "train";
    return { slide: `slide ${p}`, patient: p, part, count: tiles, first: p * tiles, rows };
  });
  const train = slides.filter(({ part }) => part === "train").map(({ patient }) => patient);
  const [mean, std] = [new Float64Array(genes), new Float64Array(genes)];
  const rna = raw.slice();
  for (let g = 0; g < genes; g++) {
    const values = train.map((p) => raw[p * genes + g]!);
    mean[g] = values.reduce((a, b) => a + b, 0) / values.length;
    std[g] = Math.sqrt(values.reduce((a, b) => a + (b - mean[g]!) ** 2, 0) / (values.length - 1));
    for (let p = 0; p < patients; p++) rna[p * genes + g] = (raw[p * genes + g]! - mean[g]!) / std[g]!;
  }
  return {
    dim,
    slides,
    patients: slides.map((_, p) => `p${p}`),
    genes: Array.from({ length: genes }, (_, g) => `G${g}`),
    rna,
    statistics: { mean, std },
    unit: "log2, as given",
    manifest: "0".repeat(64),
    labels: new Map([0, 1].map((j) => [
      `sign of z${j}`,
      Array.from({ length: patients }, (_, p) => (z[p * factor + j]! > 0 ? "up" : "down")),
    ])),
    notes: [],
    mark: { fingerprint: "0".repeat(64), check: () => Promise.resolve() },
  };
}
