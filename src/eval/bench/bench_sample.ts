/**
 * One sample of a task: features of its patches beside the counts of their spots, joined by barcode.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { badSpots, type Expression, selectSpots } from "../../data/counts.ts";
import type { ReadDisk, SampleFiles } from "../../data/data_folder.ts";
import { known } from "../../data/donors.ts";
import { type GeneNames, isControl } from "../../data/genes/genes.ts";
import { join, type JoinOptions } from "../../data/join.ts";
import { gatherColumns, visitRow } from "../../data/matrix.ts";
import { panelColumns } from "../../data/genes/panel.ts";
import { readSampleTable, type SampleOptions } from "../../data/sample.ts";
import type { Features } from "../../io/features.ts";
import { openAnndata } from "../../io/anndata.ts";
import type { Truth } from "../protocol.ts";
import { type Table, takeRows } from "../linalg/table.ts";

/** Features of one sample, a row a patch. */
export interface SampleFeatures {
  readonly barcodes: readonly string[];
  /** `[patches, D]`. */
  readonly features: Table;
  /** The file they are of, with what it says of them. */
  readonly file?: Pick<Features, "name" | "attributes"> | undefined;
}

/** Where features of an encoder come from. */
export interface FeatureSource {
  /** Name in outputs. */
  readonly name: string;
  /** Facts for records: hashes, precision, pooling. */
  readonly facts: Readonly<Record<string, string | number>>;
  /** @throws {DataError} If there are none of the sample. */
  load(sample: SampleFiles): Promise<SampleFeatures>;
}

/** Counts of a sample; raw, all genes or those of a panel. */
export interface SampleCounts {
  readonly id: string;
  readonly expression: Expression;
  /** Sum of a spot's counts over all genes of the file, whichever are kept. */
  readonly totals: Float64Array;
  /** Labels of the rows, where an obs column was asked for; undefined where a spot has none. */
  readonly labels: readonly (string | undefined)[] | undefined;
  /** Rows to leave out because their counts are none, where that was asked for. */
  readonly bad: ReadonlySet<number>;
  readonly warnings: readonly string[];
}

/** What is read of a sample. */
export interface CountsOptions extends SampleOptions {
  /** Keeps only these genes. */
  readonly panel?: readonly string[] | undefined;
  /** Keeps those of the panel that are there, instead of refusing a sample that lacks one. */
  readonly some?: boolean;
  /** Names of the samples before, which this one's take the case of. */
  readonly names?: GeneNames;
  /** Column of obs with labels. */
  readonly labels?: string | undefined;
}

/**
 * Reads the counts of a sample.
 *
 * @throws {DataError} If a gene of the panel is missing (`panel-genes`), naming both, or the column of labels is, or
 * counts are none (`counts`).
 */
export async function readSampleCounts(
  disk: ReadDisk,
  files: SampleFiles,
  options: CountsOptions = {},
): Promise<SampleCounts> {
  const file = await openAnndata(disk, files.expression);
  try {
    const { counts: stored, bad, warnings } = readSampleTable(files.id, file, files.metadata, options);
    const { names } = options;
    const counts = names ? { ...stored, genes: names.adopt(stored.genes) } : stored;
    const labels = options.labels === undefined ? undefined : file.obs.strings(options.labels)?.map(known);
    if (options.labels !== undefined && labels === undefined) {
      throw new DataError(`Cannot label the spots of ${files.id}: obs has no column ${options.labels}`, {
        hint: `It has ${file.obs.columns.join(", ") || "none"}`,
        context: { sample: files.id, column: options.labels },
      });
    }
    const read = { id: files.id, totals: depths(counts), labels, bad, warnings };
    if (options.panel === undefined) return { ...read, expression: counts };
    const own = new Set(counts.genes);
    const asked = names?.like(options.panel, own) ?? options.panel;
    const panel = options.some ? asked.filter((gene) => own.has(gene)) : asked;
    const columns = panelColumns(panel, counts);
    const data = gatherColumns(counts.matrix, columns);
    const matrix = { kind: "dense", rows: counts.matrix.rows, columns: columns.length, data } as const;
    return { ...read, expression: { ...counts, genes: panel, matrix } };
  } finally {
    file.close();
  }
}

/** A sample ready to be probed: row i of everything is the same spot. */
export interface JoinedSample {
  readonly id: string;
  readonly features: Table;
  /** Raw counts of the rows. */
  readonly expression: Expression;
  /** Sum of each row's counts over all genes. */
  readonly totals: Float64Array;
  readonly labels: readonly (string | undefined)[] | undefined;
  readonly warnings: readonly string[];
}

/**
 * Joins features and counts in the order of the features.
 *
 * @throws {DataError} If a patch has no spot and `dropUnknownPatches` is not set, or a barcode stands twice.
 */
export function joinSample(
  { id, expression, totals, labels, bad }: SampleCounts,
  { barcodes, features }: SampleFeatures,
  options: Pick<JoinOptions, "dropUnknownPatches"> = {},
): JoinedSample {
  const { patch, spot, report } = join({ sample: id, patches: barcodes, spots: expression.spots }, {
    ...options,
    selfTest: "off",
  });
  const kept = bad.size === 0 ? undefined : [...patch.keys()].filter((i) => !bad.has(spot[i]!));
  const rows = kept === undefined ? patch : kept.map((i) => patch[i]!);
  const spots = kept === undefined ? spot : kept.map((i) => spot[i]!);
  const whole = kept === undefined && features.rows === patch.length && patch.every((row, i) => row === i);
  return {
    id,
    features: whole ? features : takeRows(features, rows),
    expression: selectSpots(expression, spots),
    totals: Float64Array.from(spots, (row) => totals[row]!),
    labels: labels && Array.from(spots, (row) => labels[row]!),
    warnings: [...(bad.size > 0 ? [badSpots(id, bad.size)] : []), ...report.warnings],
  };
}

/** Depth of each spot: its counts summed over all genes but control probes; entries that are no counts are passed over. */
export function depths({ matrix, genes }: Pick<Expression, "matrix" | "genes">): Float64Array {
  const control = genes.map(isControl);
  const out = new Float64Array(matrix.rows);
  for (let row = 0; row < matrix.rows; row++) {
    visitRow(matrix, row, (g, value) => out[row]! += !control[g] && value > 0 && value < Infinity ? value : 0);
  }
  return out;
}

/** Counts a spot is scaled to, as scanpy's `normalize_total` does with target_sum=1e4. */
const DEPTH = 1e4;

/**
 * What is to be predicted of a panel's genes in f64, `[rows, genes]`; a spot without counts has zeros.
 *
 * @param totals Sum of each row's counts over all genes.
 * @throws {DataError} If a gene is missing.
 */
export function truthOf(
  { expression, totals }: Pick<JoinedSample, "expression" | "totals">,
  panel: readonly string[],
  truth: Truth,
): Table {
  const counts = gatherColumns(expression.matrix, panelColumns(panel, expression));
  return { rows: totals.length, columns: panel.length, data: scaledLog(counts, totals, truth) };
}

/** ln(1 + count), or of counts per 10,000. @param counts `[totals, genes]`. */
export function scaledLog(counts: ArrayLike<number>, totals: ArrayLike<number>, truth: Truth): Float64Array {
  const genes = totals.length === 0 ? 0 : counts.length / totals.length;
  return Float64Array.from(counts, (count, at) => {
    if (truth === "log1p counts") return Math.log1p(count);
    const total = totals[Math.floor(at / genes)]!;
    return total > 0 ? Math.log1p(count * DEPTH / total) : 0;
  });
}

/** All that a predictor knows that knows each spot's depth only, `[rows, 1]`: ln(1 + total). */
export function depthFeatures(totals: Float64Array): Table {
  return { rows: totals.length, columns: 1, data: totals.map(Math.log1p) };
}
