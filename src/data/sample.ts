/**
 * One sample's table as its files have it: counts with names, places on the array and on the slide, and what the catalogue
 * says of the donor.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { H5ad } from "../io/h5ad.ts";
import type { Frame } from "../io/h5ad_frame.ts";
import type { Metadata } from "../io/metadata.ts";
import { blocks, type Matrix as StoredMatrix } from "../io/sparse.ts";
import { type Centre, centre } from "./coordinates.ts";
import { type Expression, expression } from "./counts.ts";
import type { SampleInfo } from "./donors.ts";
import { type GeneColumns, SYMBOL_COLUMNS } from "./genes.ts";
import { type Csr, CsrBuilder } from "./matrix.ts";
import type { SpotArray } from "./preprocess.ts";

/** A sample in memory. */
export interface SampleTable {
  /** Counts as the file has them, not yet checked. */
  readonly counts: Expression;
  /** Technology and places on the array; without `array_row` and `array_col` no place is finite. */
  readonly array: SpotArray;
  /** Centres of the spots in pixels of the slide's largest level. */
  readonly spatial: Centre | undefined;
  /** Columns that may hold gene symbols, for `prepareGenes`. */
  readonly geneColumns: GeneColumns;
  readonly info: SampleInfo;
}

/** Where counts are. */
export interface SampleOptions {
  /** `X`, `raw`, or the name of a layer. */
  readonly counts?: string;
  /** `st_technology`, where there is no metadata. */
  readonly technology?: string;
}

/** All rows of a stored matrix, read in blocks; zeros that are stored are left out. */
export function loadMatrix(stored: StoredMatrix): Csr {
  const out = new CsrBuilder(stored.rows, stored.columns);
  for (const { indptr, indices, values } of blocks(stored)) {
    for (let i = 0; i + 1 < indptr.length; i++) {
      for (let k = indptr[i]!; k < indptr[i + 1]!; k++) out.push(indices[k]!, values[k]!);
      out.endRow();
    }
  }
  return out.finish();
}

/**
 * Reads a sample.
 *
 * @param file The open `.h5ad`; it stays open.
 * @param metadata Its metadata, if any.
 * @throws {DataError} If the counts asked for are not there.
 */
export function readSampleTable(
  name: string,
  file: H5ad,
  metadata?: Metadata,
  options: SampleOptions = {},
): SampleTable {
  const { stored, genes } = countsOf(name, file, options.counts ?? "X");
  const spots = file.obs.index;
  return {
    counts: expression(name, spots, genes.index, loadMatrix(stored)),
    array: {
      technology: metadata?.text("st_technology") ?? options.technology ?? "unknown",
      rows: numbersOr(file.obs, "array_row", spots.length),
      columns: numbersOr(file.obs, "array_col", spots.length),
    },
    spatial: file.obsm.includes("spatial") ? centre(file.spatial()) : undefined,
    geneColumns: Object.fromEntries(
      SYMBOL_COLUMNS.filter((column) => genes.columns.includes(column)).map((
        column,
      ) => [column, genes.strings(column)!]),
    ),
    info: { id: name, dataset: metadata?.text("dataset_title"), patient: metadata?.text("patient") },
  };
}

function countsOf(name: string, file: H5ad, where: string): { stored: StoredMatrix; genes: Frame } {
  if (where === "X") return { stored: file.x, genes: file.var };
  const raw = where === "raw" ? file.raw : undefined;
  if (raw !== undefined) return { stored: raw.x, genes: raw.var };
  const layer = where === "raw" ? undefined : file.layer(where);
  if (layer !== undefined) return { stored: layer, genes: file.var };
  throw new DataError(`Cannot read counts of ${name}: ${file.name} has no ${where}`, {
    hint: `It has X${file.raw ? ", raw" : ""}${file.layers.map((layer) => `, ${layer}`).join("")}`,
    context: { sample: name, file: file.name, counts: where },
  });
}

function numbersOr(table: Frame, column: string, count: number): Float64Array {
  return (table.columns.includes(column) ? table.numbers(column) : undefined) ?? new Float64Array(count).fill(NaN);
}
