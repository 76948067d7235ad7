/**
 * Tables of text as spreadsheets and pandas write them: divided by commas, tabs or, where the comma is the decimal point,
 * semicolons; quoted fields with separators, quotes and line breaks, a byte order mark, any line ending, UTF-8 or UTF-16.
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
 * Text of a file: UTF-8, or the UTF-16 that spreadsheets write as "Unicode text", which its byte order mark tells.
 *
 * @param name Name of the file for error messages.
 * @throws {FormatError} If it is neither.
 */
export function decodeText(bytes: Uint8Array, name: string): string {
  const [a, b] = bytes;
  const packed = a === 0x1f && b === 0x8b
    ? ["a gzip file", "Unpack it first (gunzip)"]
    : a === 0x50 && b === 0x4b && bytes[2] === 3 && bytes[3] === 4
    ? ["a zip file or a workbook", "Unpack it, or save the sheet as CSV"]
    : undefined;
  if (packed) {
    throw new FormatError(`Cannot read ${name}: it is ${packed[0]}, expected text in UTF-8`, {
      hint: packed[1]!,
      context: { file: name, line: 1, found: packed[0]!, expected: "UTF-8" },
    });
  }
  const encoding = a === 0xff && b === 0xfe ? "utf-16le" : a === 0xfe && b === 0xff ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    const found = `bytes that are no ${encoding.slice(0, 6).toUpperCase()}`;
    const line = encoding === "utf-8" ? brokenLine(bytes) : 1;
    throw new FormatError(`Cannot read ${name}: line ${line} has ${found}, expected text in UTF-8`, {
      hint: "Save it again as UTF-8",
      context: { file: name, line, found, expected: "UTF-8" },
      cause,
    });
  }
}

/** The first line that is no UTF-8, counted from 1. */
function brokenLine(bytes: Uint8Array): number {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let line = 1, from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, from);
    const to = end < 0 ? bytes.length : end + 1;
    try {
      decoder.decode(bytes.subarray(from, to));
    } catch {
      return line;
    }
    from = to;
  }
  return 1;
}

/** Names a line, as of genes: the first field of each, without quotes or spaces around it. */
export function parseNames(text: string, name: string): string[] {
  return parseCsv(text, name).map(({ fields }) => fields[0]!.trim()).filter((field) => field !== "");
}

/** Fields of one record up to its separator or line end, and which of these ended it. */
const FIELD = {
  ",": /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y,
  "\t": /(?:"((?:[^"]|"")*)"|([^"\t\r\n]*))(\t|\r\n|\n|\r|$)/y,
  ";": /(?:"((?:[^"]|"")*)"|([^";\r\n]*))(;|\r\n|\n|\r|$)/y,
} as const;

/** What divides the first line that is divided, outside quotes: a comma unless there are more tabs or semicolons. */
function separatorOf(text: string): keyof typeof FIELD {
  const counts = { ",": 0, "\t": 0, ";": 0 };
  let quoted = false;
  for (const letter of text.slice(0, 1 << 20)) {
    if (letter === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (letter === "\n" || letter === "\r") {
      if (counts[","] + counts["\t"] + counts[";"] > 0) break;
    } else if (letter in counts) counts[letter as keyof typeof counts]++;
  }
  const most = Math.max(...Object.values(counts));
  return ([",", "\t", ";"] as const).find((separator) => counts[separator] === most)!;
}

/** A record, and the line it begins on. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * Records of a text; empty lines are left out.
 *
 * @param name Name of the file for error messages.
 * @throws {FormatError} Of a quote that is never closed, or text after a closing quote.
 */
export function parseCsv(text: string, name: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  const separator = separatorOf(text);
  const field = FIELD[separator];
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
