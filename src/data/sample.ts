/**
 * One sample's table as its files have it: counts with names, places on the array and on the slide, and what the catalogue
 * says of the donor.
 *
 * @module
 */

import { DataError, FormatError, LimitError } from "../core/errors.ts";
import type { Expressed, H5ad } from "../io/hdf5/h5ad.ts";
import type { Frame } from "../io/hdf5/h5ad_frame.ts";
import type { Metadata } from "../io/metadata.ts";
import { blocks, type Matrix as StoredMatrix } from "../io/sparse.ts";
import { type Centre, centre } from "./coordinates.ts";
import { checkCounts, type Expression, expression, holdsCounts, scanCounts } from "./counts.ts";
import type { SampleInfo } from "./donors.ts";
import { type GeneColumns, SYMBOL_COLUMNS } from "./genes/genes.ts";
import { type Csr, CsrBuilder } from "./matrix.ts";
import type { SpotArray } from "./genes/preprocess.ts";

/** A sample in memory. */
export interface SampleTable {
  /** Counts as the file has them: whole numbers from 0, but for the rows that are `bad`. */
  readonly counts: Expression;
  /** Technology and places on the array; without `array_row` and `array_col` no place is finite. */
  readonly array: SpotArray;
  /** Centres of the spots in pixels of the slide's largest level. */
  readonly spatial: Centre | undefined;
  /** Columns that may hold gene symbols, for `prepareGenes`. */
  readonly geneColumns: GeneColumns;
  readonly info: SampleInfo;
  /** Rows to leave out because their counts are none; empty unless `dropBadSpots` asks for it. */
  readonly bad: ReadonlySet<number>;
  /** What the user should know of the counts. */
  readonly warnings: readonly string[];
}

/** Where counts are, and what becomes of rows that are none. */
export interface SampleOptions {
  /** `X` (the default), `raw`, or a layer: its name, or `layers/` and its name. */
  readonly counts?: string | undefined;
  /** Leave out spots with NaN, infinite or negative counts instead of refusing the sample. */
  readonly dropBadSpots?: boolean | undefined;
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
 * @throws {DataError} If the counts asked for are not there, or are none.
 */
export function readSampleTable(
  name: string,
  file: H5ad,
  metadata?: Metadata,
  options: SampleOptions = {},
): SampleTable {
  const { x, var: genes, place } = countsOf(name, file, options.counts ?? "X");
  const spots = file.obs.index;
  const counts = expression(name, spots, genes.index, loadMatrix(x));
  const { bad, warnings } = checkCounts(name, scanCounts(counts), {
    dropBadSpots: options.dropBadSpots === true,
    source: x.name,
    dtype: x.dtype,
    mend: (rows) => mendOf(file, place, rows),
  });
  return {
    counts,
    bad,
    warnings,
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

function countsOf(name: string, file: H5ad, where: string): Expressed {
  const found = file.expressed(where);
  if (found !== undefined) return found;
  const nameless = where.startsWith("obsm/") && file.obsm.includes(where.slice(5));
  const lacks = nameless ? `${where} of ${file.name} does not name its genes` : `${file.name} has no ${where}`;
  throw new DataError(`Cannot read counts of ${name}: ${lacks}, counts wanted`, {
    hint: nameless ? layerOf(where.slice(5)) : mendOf(file, undefined, false),
    context: { sample: name, file: file.name, counts: where },
  });
}

/** Where else in the file there are counts, and how to name the place. */
function mendOf(file: H5ad, but: string | undefined, rows: boolean): string {
  const others = file.places.filter((place) => place !== but);
  const whole = others.filter((place) => {
    try {
      return holdsCounts(file.expressed(place)!.x);
    } catch (error) {
      if (error instanceof FormatError || error instanceof LimitError) return false;
      throw error;
    }
  });
  const [best] = whole;
  const counted = file.obsm.find((key) => /counts?$/i.test(key));
  const drop = rows
    ? "drop_bad_spots=true of train, --drop-bad-spots of evaluate and retrieve, leaves such spots out"
    : undefined;
  const place = best !== undefined
    ? `Whole numbers are in ${
      whole.join(", ")
    }: counts=${best} of train, --counts ${best} of evaluate, retrieve and convert scores, takes them`
    : counted !== undefined
    ? layerOf(counted)
    : others.length > 0
    ? `There are no counts in ${others.join(", ")} either`
    : "The file has no other numbers: give one with raw counts";
  return drop === undefined ? place : best === undefined ? drop : `${place}; ${drop}`;
}

/** How counts in `obsm`, whose columns have no names, become ones that can be named. */
function layerOf(key: string): string {
  const text = JSON.stringify(key);
  return `obsm/${key} has no names of genes: where they are those of var, adata.layers[${text}] = adata.obsm[${text}] ` +
    `and counts=layers/${key} of train, --counts layers/${key} of evaluate, retrieve and convert scores`;
}

function numbersOr(table: Frame, column: string, count: number): Float64Array {
  return (table.columns.includes(column) ? table.numbers(column) : undefined) ?? new Float64Array(count).fill(NaN);
}
