/**
 * A further vector of each patient, such as a report's embedding: a table with `case_id` and a column a number.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { type FoldPart, shortList } from "../../data/cohort/cohort_table.ts";
import { readCaseExpression } from "../../data/cohort/gene_sets.ts";
import { decodeText } from "../../io/csv.ts";
import { type Disk, readBytes } from "../../io/disk.ts";

/** Vectors of patients, in their order. */
export interface PatientVectors {
  readonly width: number;
  /** `[patients, width]`. */
  readonly values: Float32Array<ArrayBuffer>;
}

/**
 * Reads the table.
 *
 * @throws {FormatError} If a line is broken.
 * @throws {DataError} If a patient is not in it.
 */
export function readVectors(disk: Disk, path: string, patients: readonly string[]): PatientVectors {
  const { cases, genes: { length: width } } = readCaseExpression(decodeText(readBytes(disk, path), path), path);
  const absent = patients.filter((patient) => !cases.has(patient));
  if (absent.length > 0) {
    throw new DataError(
      `Cannot use modality ${path}: it has no line of ${
        shortList(absent, 5)
      }, expected one of each of ${patients.length} patients`,
      {
        code: "modality",
        hint: "Add their lines, or train without modality",
        context: { file: path, found: absent.length },
      },
    );
  }
  return { width, values: Float32Array.from(patients.flatMap((patient) => [...cases.get(patient)!])) };
}

/** Each number with mean 0 and deviation 1 over the training patients; constants are 0. */
export function standardVectors({ width, values }: PatientVectors, parts: readonly FoldPart[]): PatientVectors {
  const train = parts.flatMap((part, p) => (part === "train" ? [p] : []));
  const out = new Float32Array(values.length);
  for (let j = 0; j < width; j++) {
    const own = train.map((p) => values[p * width + j]!);
    const mean = own.reduce((a, b) => a + b, 0) / own.length;
    const std = Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length);
    for (let p = 0; p < parts.length; p++) out[p * width + j] = std > 0 ? (values[p * width + j]! - mean) / std : 0;
  }
  return { width, values: out };
}
