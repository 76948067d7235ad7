/**
 * What a run is judged on: raw counts of the reported genes and of those that retrieval compares, of all pairs.
 *
 * @module
 */

import { known } from "../data/donors.ts";
import { gatherColumns } from "../data/matrix.ts";
import type { TrainingSample, TrainingSet } from "../data/training_set.ts";
import { depths, scaledLog } from "../eval/bench/bench_sample.ts";
import type { ProbeSet } from "../eval/probe.ts";
import type { Truth } from "../eval/protocol.ts";
import { type Table, takeRows } from "../eval/linalg/table.ts";
import type { ReportPanel } from "./panel.ts";
import { heldOutSamples, pairsOf } from "./held_out.ts";

/** Genes of the vocabulary that retrieval by expression compares, at most. */
const RETRIEVAL_GENES = 200;

/** Genes with their counts. */
export interface GeneTable {
  readonly genes: readonly string[];
  /** ln(1 + count), `[pairs, genes]`. */
  readonly values: Table;
  /** ln(1 + counts per 10,000 of the spot's total over all genes), `[pairs, genes]`. */
  readonly normalised: Table;
}

/** A held-out section. */
export interface HeldSection {
  /** Its donor, where the metadata name the patient. */
  readonly donor: string | undefined;
  /** Whether training saw other sections of the donor; undefined where donors are not named. */
  readonly seen: boolean | undefined;
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
  /** Donor group of each pair. */
  readonly donors: readonly string[];
  /** Whether some training section's patient is not named. */
  readonly unnamed: boolean;
  /** What is known of the held-out sections, by identifier. */
  readonly sections: ReadonlyMap<string, HeldSection>;
  /** Sum of each pair's counts over all genes. */
  readonly totals: Float64Array;
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
  const totals = new Float64Array(set.count);
  const lacks = new Map<string, string>();
  for (const [i, { id, first }] of set.samples.entries()) {
    const raw = await set.raw(i);
    const place = new Map(raw.genes.map((gene, j) => [gene, j]));
    for (const name of names) if (!place.has(name) && !lacks.has(name)) lacks.set(name, `${id} lacks it`);
    const counts = gatherColumns(raw.matrix, names.map((name) => place.get(name) ?? -1));
    all.data.set(counts, first * names.length);
    totals.set(depths(raw), first);
  }
  const table = (wanted: readonly string[]): GeneTable => {
    const genes = wanted.filter((name) => !lacks.has(name));
    const counts = takeColumns(all, genes.map((name) => names.indexOf(name)));
    const truth = (of: Truth) => ({ ...counts, data: Float32Array.from(scaledLog(counts.data, totals, of)) });
    return { genes, values: truth("log1p counts"), normalised: truth("log1p counts per 10,000") };
  };
  const held = heldOutSamples({ set });
  return {
    held,
    trainPairs: [...set.pairs("train")],
    heldPairs: pairsOf(held),
    heldSlides: held.flatMap(({ id, count }) => new Array<string>(count).fill(id)),
    slides: set.samples.flatMap(({ id, count }) => new Array<string>(count).fill(id)),
    donors: set.samples.flatMap(({ donor, count }) => new Array<string>(count).fill(donor)),
    unnamed: set.samples.some((sample) => sample.role === "train" && namedDonor(sample) === undefined),
    sections: sectionsOf(set.samples, held),
    totals,
    panel: table(panel.genes),
    compared: table(compared),
    missing: panel.genes.flatMap((gene) => lacks.has(gene) ? [{ gene, reason: lacks.get(gene)! }] : []),
  };
}

/** Donor of a sample, where its metadata name the patient. */
export function namedDonor({ donor, files }: Pick<TrainingSample, "donor" | "files">): string | undefined {
  return known(files.metadata?.text("patient")) === undefined ? undefined : donor;
}

function sectionsOf(samples: TrainingSet["samples"], held: TrainingSet["samples"]): Map<string, HeldSection> {
  const training = samples.filter(({ role }) => role === "train");
  const trained = new Set(training.map(({ donor }) => donor));
  // A training section without a name may be of anyone.
  const unseen = training.every((sample) => namedDonor(sample) !== undefined) ? false : undefined;
  return new Map(held.map((sample) => {
    const donor = namedDonor(sample);
    return [sample.id, { donor, seen: donor === undefined ? undefined : trained.has(donor) || unseen }];
  }));
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
  { trainPairs, heldPairs, slides, donors, unnamed }: EvidenceData,
  features: Table,
  targets: Table,
): Record<"train" | "test", ProbeSet> {
  const side = (pairs: readonly number[]): ProbeSet => ({
    features: takeRows(features, pairs),
    targets: takeRows(targets, pairs),
    slides: pairs.map((pair) => slides[pair]!),
    donors: pairs.map((pair) => donors[pair]!),
    unnamed,
  });
  return { train: side(trainPairs), test: side(heldPairs) };
}
