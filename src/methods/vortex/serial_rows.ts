/**
 * What stands beside the model where volumes are serial sections: what is measured of the sections around carried over (copy),
 * ridge regression on colours of the own section with those around a spot, the encoder of single slices behind the same ridge
 * regression, and means of what these tell, z-scored: they err differently, and no weight is fitted. Pearson's differences come with
 * intervals over spots.
 *
 * A copy is made of sections of the volume itself alone.
 *
 * @module
 */

import { Rng, streamOf } from "../../core/rng.ts";
import type { NearPairs } from "../../data/sampler.ts";
import { withAround } from "../../eval/around.ts";
import { applyStandardizer, fitStandardizer } from "../../eval/linalg/standardize.ts";
import { type Table, takeRows } from "../../eval/linalg/table.ts";
import { predictLinear } from "../../eval/ridge.ts";
import { fitChosenRidge } from "../../eval/ridge_choice.ts";
import { leftOutGroups } from "./ridge.ts";
import { meanOf, scoresOf, type TestSection } from "./scores.ts";
import type { VolumeDifference } from "../../report/volumes_evidence.ts";
import type { VortexSession } from "./session.ts";

/** Deviation of the weights of a copy, and how far spots around lie, µm. */
const [COPY, AROUND] = [140, 375];
/** Draws of spots. */
const DRAWS = 2000;

/** Expression told of the pairs of test sections, one behind the other. */
export interface SerialRow {
  readonly id: "copy" | "ridge" | "encoder" | "pictures" | "together";
  readonly label: string;
  readonly told: Float32Array;
}

/** Mean of measured expression around a place of the sections that lie nearest in depth, by a normal weight of distance. */
export function copyOf(
  { pairs, x, genes }: Pick<VortexSession["data"], "pairs" | "x" | "genes">,
  from: readonly number[],
  to: readonly number[],
): Float32Array {
  const G = genes.length;
  const out = new Float32Array(to.length * G);
  to.forEach((pair, i) => {
    const { volume, place: [px, py, pz] } = pairs[pair]!;
    const own = from.filter((other) => pairs[other]!.volume === volume);
    const away = (other: number) => Math.abs(pairs[other]!.place[2] - pz);
    const nearest = Math.min(...own.map(away));
    const beside = own.filter((other) => away(other) <= nearest * 1.01 + 1e-6);
    const squared = beside.map((other) => (pairs[other]!.place[0] - px) ** 2 + (pairs[other]!.place[1] - py) ** 2);
    // Far from all spots the nearest ones count, not none.
    const least = Math.min(...squared);
    const weights = squared.map((d) => Math.exp((least - d) / (2 * COPY * COPY)));
    const total = weights.reduce((a, b) => a + b, 0);
    beside.forEach((other, j) => {
      for (let g = 0; g < G; g++) out[i * G + g]! += weights[j]! / total * x[other * G + g]!;
    });
  });
  return out;
}

/** Means, deviations and quantiles of the channels of a slice and of its middle half. */
function coloursOf(pixels: Float32Array, side: number, channels: number): number[] {
  const out: number[] = [];
  for (const margin of [0, Math.floor(side / 4)]) {
    for (let c = 0; c < channels; c++) {
      const values: number[] = [];
      for (let y = margin; y < side - margin; y++) {
        for (let x = margin; x < side - margin; x++) values.push(pixels[(y * side + x) * channels + c]!);
      }
      values.sort((a, b) => a - b);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      out.push(mean, Math.sqrt(variance), ...[0.1, 0.5, 0.9].map((q) => values[Math.round(q * (values.length - 1))]!));
    }
  }
  return out;
}

/** Colours of the own slice of pairs. */
export async function colourFeatures(
  { patches, shape, patchEncoder }: Pick<VortexSession, "patches" | "shape" | "patchEncoder">,
  chosen: readonly number[],
): Promise<Table> {
  const read = await patches(chosen, 1);
  const colours = read.map(({ pixels }) => coloursOf(pixels, shape.side, patchEncoder.channels));
  return { rows: chosen.length, columns: colours[0]!.length, data: Float64Array.from(colours.flat()) };
}

/** Spots of the same section around each. */
function around({ pairs }: VortexSession["data"], chosen: readonly number[]): NearPairs {
  const [indptr, indices] = [[0], [] as number[]];
  for (const [i, pair] of chosen.entries()) {
    const { section, place: [x, y] } = pairs[pair]!;
    chosen.forEach((other, j) => {
      const there = pairs[other]!;
      if (j !== i && there.section === section && Math.hypot(there.place[0] - x, there.place[1] - y) <= AROUND) {
        indices.push(j);
      }
    });
    indptr.push(indices.length);
  }
  return { indptr: Uint32Array.from(indptr), indices: Uint32Array.from(indices) };
}

/** Features z-scored within each section: sections differ in stain. */
function withinSections({ pairs }: VortexSession["data"], chosen: readonly number[], features: Table): Table {
  const data = new Float64Array(features.data.length);
  const rows = [...Map.groupBy(chosen.keys(), (i) => pairs[chosen[i]!]!.section).values()];
  for (const of of rows) {
    const own = takeRows(features, of);
    const { data: scaled } = applyStandardizer(own, fitStandardizer(own));
    of.forEach((i, r) => data.set(scaled.subarray(r * own.columns, (r + 1) * own.columns), i * own.columns));
  }
  return { ...features, data };
}

/** Ridge regression of the spots of interest on features of theirs and of the spots around. */
export function byRidge(
  { data, voiPairs }: Pick<VortexSession, "data" | "voiPairs">,
  chosen: readonly number[],
  features: Table,
  to: readonly number[],
): Float32Array {
  const G = data.genes.length;
  const scaled = withinSections(data, chosen, withAround(features, around(data, chosen)));
  const at = new Map(chosen.map((pair, i) => [pair, i]));
  const rows = (of: readonly number[]) => takeRows(scaled, of.map((pair) => at.get(pair)!));
  const y = new Float64Array(voiPairs.length * G);
  voiPairs.forEach((pair, i) => y.set(data.x.subarray(pair * G, (pair + 1) * G), i * G));
  const targets = { rows: voiPairs.length, columns: G, data: y };
  const model = fitChosenRidge(rows(voiPairs), targets, leftOutGroups(data, voiPairs));
  return Float32Array.from(predictLinear(model, rows(to)).data);
}

/** z-scored by section and gene. */
function scaledBySection(told: Float32Array, sections: readonly TestSection[], genes: number): Float32Array {
  const out = new Float32Array(told.length);
  let first = 0;
  for (const { pairs } of sections) {
    const part = told.subarray(first * genes, (first + pairs.length) * genes);
    const table = { rows: pairs.length, columns: genes, data: part };
    out.set(applyStandardizer(table, fitStandardizer(table)).data, first * genes);
    first += pairs.length;
  }
  return out;
}

/** The rows. @param own What the model tells. */
export async function serialRows(
  session: VortexSession,
  sections: readonly TestSection[],
  own: Float32Array,
): Promise<SerialRow[]> {
  const { data, voiPairs, patchEncoder } = session;
  const to = sections.flatMap(({ pairs }) => pairs);
  // All spots of the volume: pictures of those that are not trained on are known too.
  const chosen = data.pairs.flatMap(({ volume }, p) => (volume === data.voi ? [p] : []));
  const plain = await colourFeatures(session, chosen);
  // Tubelets have no token of a slice.
  const encoded = patchEncoder.whole ? [] : [await session.encode(chosen, 1)];
  const told = (features: Table) => byRidge(session, chosen, features, to);
  const rows: SerialRow[] = [
    { id: "ridge", label: "Ridge on colours, own section and around", told: told(plain) },
    ...encoded.map(({ tokens }): SerialRow => {
      const features = { rows: chosen.length, columns: patchEncoder.dim, data: tokens };
      return { id: "encoder", label: "2D encoder, own section and around, ridge", told: told(features) };
    }),
  ];
  const copy = copyOf(data, voiPairs, to);
  const mean = (parts: readonly Float32Array[]) => {
    const scaled = parts.map((part) => scaledBySection(part, sections, data.genes.length));
    return own.map((_, at) => scaled.reduce((total, part) => total + part[at]! / parts.length, 0));
  };
  const pictures = [own, ...rows.map((row) => row.told)];
  return [
    { id: "copy", label: "Copy of the measured sections beside", told: copy },
    ...rows,
    { id: "pictures", label: "Model, ridge and encoder together", told: mean(pictures) },
    { id: "together", label: "These and the copy together", told: mean([...pictures, copy]) },
  ];
}

/** What one row has over another on each section: 95 % of draws of its spots, the same for both. */
export function differenceOf(
  session: Pick<VortexSession, "data" | "config">,
  sections: readonly TestSection[],
  [of, over]: readonly [SerialTold, SerialTold],
): VolumeDifference[] {
  const { data, config } = session;
  const G = data.genes.length;
  let first = 0;
  return sections.map((section) => {
    const { name, pairs } = section;
    const from = first;
    first += pairs.length;
    const mean = (told: Float32Array, draw: readonly number[]) => {
      const said = new Float32Array(draw.length * G);
      draw.forEach((i, r) => said.set(told.subarray((from + i) * G, (from + i + 1) * G), r * G));
      const drawn = { ...section, pairs: draw.map((i) => pairs[i]!) };
      return meanOf(scoresOf(data, [drawn], said)[0]!) ?? 0;
    };
    const rng = new Rng(config.optim.seed, streamOf(`spots of ${name}`));
    const difference = (draw: readonly number[]) => mean(of.told, draw) - mean(over.told, draw);
    const draws = Array.from({ length: DRAWS }, () => difference(pairs.map(() => rng.below(pairs.length))));
    draws.sort((a, b) => a - b);
    const at = (q: number) => draws[Math.round(q * (DRAWS - 1))]!;
    return {
      ...{ of: of.id, over: over.id, section: name, mean: difference([...pairs.keys()]) },
      ...{ low: at(0.025), high: at(0.975) },
    };
  });
}

/** What a row tells. */
export interface SerialTold {
  readonly id: string;
  readonly told: Float32Array;
}
