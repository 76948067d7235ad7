/**
 * Samples of a catalogue by what it says of them: `organ=Breast`, `technology=Visium,Xenium`.
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Metadata } from "../io/metadata.ts";

/** Short names of columns. */
const SHORT: Readonly<Record<string, string>> = {
  technology: "st_technology",
  disease: "disease_state",
  oncotree: "oncotree_code",
  dataset: "dataset_title",
  preservation: "preservation_method",
  added: "hest_version_added",
};

/**
 * The records that fit all conditions, each `COLUMN=VALUE` or several values between commas, whatever their case.
 *
 * @throws {ConfigError} If a condition cannot be read, or names a column or value that no record has.
 */
export function selectRecords(records: readonly Metadata[], where: readonly string[], file: string): Metadata[] {
  const conditions = where.map((text) => conditionOf(records, text, file));
  return records.filter((record) => conditions.every((fits) => fits(record)));
}

function conditionOf(records: readonly Metadata[], text: string, file: string): (record: Metadata) => boolean {
  const [, name = "", list = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const columns = new Set(records.flatMap((record) => [...record.values.keys()]));
  const asked = name.trim().toLowerCase();
  const column = columns.has(asked) ? asked : SHORT[asked] ?? asked;
  if (asked === "" || list.trim() === "" || !columns.has(column)) {
    const near = nearest(asked, [...columns, ...Object.keys(SHORT)]);
    throw new ConfigError(
      `Cannot select by ${JSON.stringify(text)}: wanted COLUMN=VALUE with a column of ${file}`,
      {
        hint: near === undefined ? `It has ${[...columns].slice(0, 12).join(", ")}` : `Did you mean ${near}=…?`,
        context: { given: text, file, ...(near === undefined ? {} : { nearest: near }) },
      },
    );
  }
  const key = (value: string) => value.trim().toLowerCase();
  const held = new Map(records.flatMap((record) => {
    const value = record.text(column);
    return value === undefined ? [] : [[key(value), value] as const];
  }));
  // A value may hold commas itself.
  const wanted = new Set(held.has(key(list)) ? [key(list)] : list.split(",").map(key));
  for (const value of wanted) {
    if (held.has(value)) continue;
    const near = nearest(value, [...held.keys()]);
    throw new ConfigError(`Cannot select by ${text}: no sample of ${file} has ${column} ${JSON.stringify(value)}`, {
      hint: near === undefined
        ? `It has ${[...held.values()].sort().slice(0, 20).join(", ")}`
        : `Did you mean ${held.get(near)}?`,
      context: { given: text, column, value },
    });
  }
  return (record) => wanted.has(key(record.text(column) ?? ""));
}
