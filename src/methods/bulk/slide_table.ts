/**
 * What a table of slides says of patients: whose each slide is, and one part and one class each. Cases of TCGA are cut to their
 * patient as samples are, so that a table may name cases, samples or nothing but slides.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import { patientOf } from "../../data/cohort/bulk_pairs.ts";
import type { CohortTable } from "../../data/cohort/cohort_table.ts";

/** Patients by slide. */
export function ownersOf({ rows }: Pick<CohortTable, "rows">): Map<string, string> {
  return new Map(rows.map((row) => [row.slide, patientOf(row.case)]));
}

/**
 * What a column says of each patient; nothing where it is empty for all of the patient's slides.
 *
 * @param fields Of the rows, empty where there is nothing.
 * @throws {DataError} If slides of a patient disagree.
 */
export function byPatient(
  { file, rows }: Pick<CohortTable, "file" | "rows">,
  column: string,
  fields: readonly string[],
): Map<string, string> {
  const said = new Map<string, { value: string; line: number }>();
  for (const [i, { case: name, line }] of rows.entries()) {
    const [patient, value] = [patientOf(name), fields[i]!];
    if (value === "") continue;
    const before = said.get(patient);
    said.set(patient, before ?? { value, line });
    if (before === undefined || before.value === value) continue;
    throw new DataError(
      `Cannot use the table ${file}: patient ${patient} has ${column} ${before.value} in line ${before.line} and ` +
        `${value} in line ${line}, expected one`,
      {
        code: "patient-fields",
        hint: `Give all slides of a patient the same ${column}`,
        context: { file, patient, column, lines: [before.line, line] },
      },
    );
  }
  return new Map([...said].map(([patient, { value }]) => [patient, value]));
}
