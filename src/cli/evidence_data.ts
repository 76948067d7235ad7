/**
 * What a run is judged on: raw counts of the reported genes and of those that retrieval compares, of all pairs.
 *
 * @module
 */

import { gatherColumns } from "../data/matrix.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { type Table, takeRows } from "../eval/table.ts";
import type { ReportPanel } from "./train_panel.ts";
import { heldOutSamples, pairsOf } from "./train_scores.ts";

/** Genes of the vocabulary that retrieval by expression compares, at most. */
const RETRIEVAL_GENES = 200;

/** Genes with their counts. */
export interface GeneTable {
  readonly genes: readonly string[];
  /** ln(1 + count), `[pairs, genes]`. */
  readonly values: Table;
}

/** Counts of all pairs, and which pairs are held out. */
export interface EvidenceData {
  /** Samples that are judged, test before validation; none if all train. */
  readonly held: TrainingSet["samples"];
  /** Numbers of the pairs that probes are fitted on, and of those they are judged on. */
  readonly trainPairs: readonly number[];
  readonly heldPairs: readonly number[];
  /** Sample of each held-out pair, and of each pair. */
  readonly heldSlides: readonly string[];
  readonly slides: readonly string[];
  readonly panel: GeneTable;
  /** Genes that retrieval compares. */
  readonly compared: GeneTable;
  /** Genes of the panel that a sample lacks, and which. */
  readonly missing: readonly { readonly gene: string; readonly reason: string }[];
}

/** Reads the counts of all samples again. */
export async function readEvidenceData(set: TrainingSet, panel: ReportPanel): Promise<EvidenceData> {
  const compared = set.vocabulary.genes.slice(0, RETRIEVAL_GENES);
  const names = [...new Set([...panel.genes, ...compared])];
  const all = { rows: set.count, columns: names.length, data: new Float32Array(set.count * names.length) };
  const lacks = new Map<string, string>();
  for (const [i, { id, first }] of set.samples.entries()) {
    const raw = await set.raw(i);
    const place = new Map(raw.genes.map((gene, j) => [gene, j]));
    for (const name of names) if (!place.has(name) && !lacks.has(name)) lacks.set(name, `${id} lacks it`);
    const counts = gatherColumns(raw.matrix, names.map((name) => place.get(name) ?? -1));
    all.data.set(counts.map(Math.log1p), first * names.length);
  }
  const table = (wanted: readonly string[]): GeneTable => {
    const genes = wanted.filter((name) => !lacks.has(name));
    return { genes, values: takeColumns(all, genes.map((name) => names.indexOf(name))) };
  };
  const held = heldOutSamples({ set });
  return {
    held,
    trainPairs: [...set.pairs("train")],
    heldPairs: pairsOf(held),
    heldSlides: held.flatMap(({ id, count }) => new Array<string>(count).fill(id)),
    slides: set.samples.flatMap(({ id, count }) => new Array<string>(count).fill(id)),
    panel: table(panel.genes),
    compared: table(compared),
    missing: panel.genes.flatMap((gene) => lacks.has(gene) ? [{ gene, reason: lacks.get(gene)! }] : []),
  };
}

/** Columns of a table by number, as f32. */
export function takeColumns({ rows, columns, data }: Table, chosen: readonly number[]): Table {
  const out = new Float32Array(rows * chosen.length);
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < chosen.length; j++) out[r * chosen.length + j] = data[r * columns + chosen[j]!]!;
  }
  return { rows, columns: chosen.length, data: out };
}

/** At most `most` of the numbers below `count`, evenly. */
export function evenly(count: number, most: number): number[] {
  const n = Math.min(count, most);
  return Array.from({ length: n }, (_, i) => Math.floor((i + 0.5) * count / n));
}

/** Both sides of a probe: training and held-out rows of features and of targets. */
export function sidesOf(
  { trainPairs, heldPairs, heldSlides, slides }: EvidenceData,
  features: Table,
  targets: Table,
): Record<"train" | "test", { features: Table; targets: Table; slides: readonly string[] }> {
  const side = (pairs: readonly number[], of: readonly string[]) => ({
    features: takeRows(features, pairs),
    targets: takeRows(targets, pairs),
    slides: of,
  });
  return { train: side(trainPairs, trainPairs.map((pair) => slides[pair]!)), test: side(heldPairs, heldSlides) };
}
