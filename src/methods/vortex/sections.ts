/**
 * Measured sections: places of spots in a volume, and their expression.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { decodeText } from "../../io/csv.ts";
import { type Disk, readBytes } from "../../io/disk.ts";
import { openAnndata } from "../../io/anndata.ts";
import type { H5ad } from "../../io/hdf5/h5ad.ts";
import { toDense } from "../../io/sparse.ts";
import { fitLandmarks, readLandmarks, type SectionFit, toVolume } from "../../volumes/landmarks.ts";
import type { Place } from "../../volumes/volume.ts";
import type { SectionRow } from "./table.ts";

/** A section that was read. */
export interface Section {
  readonly row: SectionRow;
  readonly barcodes: readonly string[];
  /** µm, in the volume. */
  readonly places: readonly Place[];
  readonly genes: readonly string[];
  /** Expression, `[spots, genes]`. */
  readonly values: Float32Array<ArrayBuffer>;
  /** Spots in which each gene is seen. */
  readonly seen: Uint32Array;
  /** How well landmarks place it, where it is placed by them. */
  readonly fit?: SectionFit | undefined;
}

/** What counts are scaled to before their logarithm. */
const TARGET = 1e4;

function refuse(file: string, code: string, found: string, expected: string, hint: string): DataError {
  return new DataError(`Cannot use the section ${file}: ${found}, expected ${expected}`, {
    code,
    hint,
    context: { file, found, expected },
  });
}

/** Places of spots. @throws {DataError} If there are none, or no depth. */
function placesOf(file: H5ad, { expression, z }: SectionRow, fit: SectionFit | undefined): Place[] {
  const points = file.points("spatial");
  if (points === undefined) {
    throw refuse(expression, "no-places", "it has no obsm/spatial", "x, y, z of each spot in µm", "Write them there");
  }
  const { columns, values } = points;
  if (fit !== undefined && columns !== 2) {
    const found = `places of ${columns} numbers where the section is laid`;
    throw refuse(expression, "no-section-places", found, "x, y on the section", "Leave the landmarks away");
  }
  if (columns !== 3 && !(columns === 2 && (z ?? fit) !== undefined)) {
    const found = columns === 2 ? "places have no z, and the table has none" : `places of ${columns} numbers`;
    throw refuse(expression, "no-depth", found, "x, y, z, or x, y and a depth", "Set z in the table, µm, or landmarks");
  }
  const count = values.length / columns;
  return Array.from({ length: count }, (_, i): Place => {
    const at = values.subarray(i * columns, (i + 1) * columns);
    if (fit !== undefined) return toVolume(fit, [at[0]!, at[1]!]);
    return [at[0]!, at[1]!, columns === 3 ? at[2]! : z!];
  });
}

/** Makes log1p of counts per ten thousand, in place. @throws {DataError} If a count is negative or no number. */
function prepare(values: Float32Array, genes: number, norm: "log_norm" | "none", name: (spot: number) => string): void {
  for (let from = 0; from < values.length; from += genes) {
    const row = values.subarray(from, from + genes);
    let sum = 0;
    for (const value of row) {
      if (!Number.isFinite(value) || (norm === "log_norm" && value < 0)) {
        throw refuse(
          name(from / genes),
          "bad-counts",
          `a count is ${value}`,
          "counts",
          "gene_norm=none takes any numbers",
        );
      }
      sum += value;
    }
    if (norm === "none" || sum === 0) continue;
    for (let g = 0; g < genes; g++) row[g] = Math.log1p(row[g]! * TARGET / sum);
  }
}

/**
 * Reads a section.
 *
 * @param laid Where it lies, of serial sections.
 * @throws {DataError | FormatError} If it is damaged, empty, or has no places.
 */
export async function readSection(
  disk: Disk,
  row: SectionRow,
  norm: "log_norm" | "none",
  laid?: SectionFit,
): Promise<Section> {
  const { landmarks: marks } = row;
  const fit = laid ??
    (marks === undefined
      ? undefined
      : fitLandmarks(readLandmarks(decodeText(readBytes(disk, marks), marks), marks), marks));
  const file = await openAnndata(disk, row.expression);
  try {
    const { index: barcodes } = file.obs;
    const { index: genes } = file.var;
    if (barcodes.length === 0 || genes.length === 0) {
      throw refuse(
        row.expression,
        "empty",
        `${barcodes.length} spots and ${genes.length} genes`,
        "some",
        "Bring counts",
      );
    }
    const values = toDense(await file.x.read(0, barcodes.length), genes.length);
    const seen = new Uint32Array(genes.length);
    values.forEach((value, i) => {
      if (value > 0) seen[i % genes.length]!++;
    });
    prepare(values, genes.length, norm, (spot) => `${row.expression}, spot ${barcodes[spot]}`);
    const places = placesOf(file, row, fit);
    return { row, barcodes, places, genes, values, seen, fit: laid === undefined ? fit : undefined };
  } finally {
    file.close();
  }
}
