/**
 * Comma-separated values as spreadsheets and pandas write them: quoted fields with commas, quotes and line breaks, a byte
 * order mark, either line ending.
 *
 * Source: RFC 4180.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";

/** One record, with its line end. Fields are quoted where they must be. */
export function csvLine(fields: readonly (string | number)[]): string {
  return `${
    fields.map((f) => /[",\r\n]|^\s|\s$/.test(String(f)) ? `"${String(f).replaceAll('"', '""')}"` : f).join(",")
  }\n`;
}

/** The shortest decimal number that reads back as the same f32. */
export function shortF32(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}

/**
 * Records of a text, with the line each begins on; empty lines are left out.
 *
 * @param name Name of the file for error messages.
 * @param separator Of fields: a comma, or a tab as pandas and spreadsheets write it.
 * @throws {FormatError} Of a quote that is never closed, or text after a closing quote.
 */
export function parseCsv(
  text: string,
  name: string,
  separator: "," | "\t" = ",",
): { line: number; fields: string[] }[] {
  const records: { line: number; fields: string[] }[] = [];
  const field = separator === ","
    ? /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y
    : /(?:"((?:[^"]|"")*)"|([^"\t\r\n]*))(\t|\r\n|\n|\r|$)/y;
  field.lastIndex = text.startsWith("\uFEFF") ? 1 : 0;
  let line = 1;
  let begun = 1;
  let fields: string[] = [];
  while (field.lastIndex < text.length || fields.length > 0) {
    const at = field.lastIndex;
    const match = field.exec(text);
    if (match === null) {
      const found = text.slice(at, at + 20);
      throw new FormatError(
        `Cannot read ${name} as CSV: line ${line} has ${JSON.stringify(found)}, expected a closed field`,
        {
          context: { file: name, line, found, expected: "a closed field" },
        },
      );
    }
    const [whole, quoted, plain, end] = match as unknown as [string, string | undefined, string | undefined, string];
    fields.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    line += whole.match(/\r\n|\n|\r/g)?.length ?? 0;
    if (end === separator) continue;
    if (fields.length > 1 || fields[0] !== "") records.push({ line: begun, fields });
    fields = [];
    begun = line;
    if (end === "") break;
  }
  return records;
}
