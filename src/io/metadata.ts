/**
 * Metadata of HEST samples: `metadata/{id}.json`, one flat object in Python's JSON, and the catalogue `HEST_v*.csv`.
 *
 * @module
 */

import { DataError, FormatError } from "../core/errors.ts";
import { csvLine, parseCsv } from "./csv.ts";
import { parseJson } from "./json.ts";

/** A value; null where it is unknown. */
export type MetadataValue = string | number | boolean | null;

/** Metadata of a sample. */
export class Metadata {
  /** Values as the file has them; NaN of Python is null. */
  readonly values: ReadonlyMap<string, MetadataValue>;

  /** @param name File and place in it, for messages. */
  constructor(readonly name: string, values: Iterable<readonly [string, MetadataValue]>) {
    this.values = new Map(values);
  }

  /** Identifier of the sample. */
  get id(): string {
    return this.text("id") ?? this.fail("id", "a text");
  }

  /** Text without space around it; undefined where it is missing or blank. */
  text(key: string): string | undefined {
    const value = this.values.get(key);
    const text = value === null || value === undefined ? "" : String(value).trim();
    return text === "" || /^nan$/i.test(text) ? undefined : text;
  }

  /**
   * A number; undefined where it is missing or blank.
   *
   * @throws {DataError} If it is no number.
   */
  number(key: string): number | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const value = Number(text);
    return Number.isFinite(value) ? value : this.fail(key, "a number");
  }

  /**
   * Micrometres a pixel of the slide's largest level: what HEST estimated from the spots. What the image file claims
   * (`pixel_size_um_embedded`) is wrong by ten in many files and is not used.
   *
   * @throws {DataError} If it is missing or not positive.
   */
  get pixelSize(): number {
    const value = this.number("pixel_size_um_estimated");
    return value !== undefined && value > 0 ? value : this.fail("pixel_size_um_estimated", "a positive number");
  }

  private fail(key: string, expected: string): never {
    const found = this.values.has(key) ? JSON.stringify(this.values.get(key)) : "nothing";
    throw new DataError(`Cannot use ${this.name}: ${key} is ${found}, ${expected} is wanted`, {
      context: { file: this.name, path: key, found, expected },
    });
  }
}

/**
 * Reads metadata of a sample; the bare NaN and Infinity that Python writes count as unknown.
 *
 * @throws {FormatError} If it is no flat JSON object.
 */
export function parseMetadata(bytes: Uint8Array, name: string): Metadata {
  const describe = (offset: number, found: string, expected: string): FormatError =>
    new FormatError(`Cannot read ${name}: byte ${offset} ${found}, expected ${expected}`, {
      context: { file: name, offset, found, expected },
    });
  const tree = parseJson(withoutNaN(bytes), describe);
  if (tree === null || typeof tree !== "object" || Array.isArray(tree)) {
    throw describe(0, "begins no object", "an object");
  }
  const entries = Object.entries(tree).map(([key, value]) => {
    if (value !== null && typeof value === "object") {
      const found = Array.isArray(value) ? "a list" : "an object";
      throw new FormatError(`Cannot read ${name}:${key}: ${found}, expected text, a number or null`, {
        context: { file: name, path: key, found, expected: "text, a number or null" },
      });
    }
    return [key, value as MetadataValue] as const;
  });
  return new Metadata(name, entries);
}

/** Python's JSON as everyone's: NaN and the infinities outside strings become null; a byte order mark goes. */
function withoutNaN(bytes: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(bytes);
  // Damaged UTF-8 is left to the parser to refuse.
  if (text.includes("\uFFFD")) return bytes;
  const mended = text.replace(
    /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g,
    (token) => token[0] === '"' ? token : "null",
  );
  return new TextEncoder().encode(mended);
}

/** Metadata as JSON, unknown values as null, as HEST lays it out. */
export function metadataJson(values: Readonly<Record<string, MetadataValue | undefined>>): string {
  const known = Object.entries(values).map(([key, value]) => [key, Number.isNaN(value) ? null : value ?? null]);
  return `${JSON.stringify(Object.fromEntries(known), null, 4)}\n`;
}

/**
 * Reads a catalogue: a record for every sample, with or without a byte order mark.
 *
 * @throws {FormatError} If a record has another number of fields than the header, or an id comes twice.
 */
export function parseCatalogue(text: string, name: string): Metadata[] {
  const [header, ...records] = parseCsv(text, name);
  if (header === undefined || !header.fields.includes("id")) {
    const found = header ? `columns ${header.fields.slice(0, 5).join(", ")}` : "no text";
    throw new FormatError(`Cannot read ${name}, line 1: ${found}, expected a column id`, {
      context: { file: name, line: 1, found, expected: "a column id" },
    });
  }
  const seen = new Set<string>();
  return records.map(({ line, fields }) => {
    const fail = (found: string, expected: string) =>
      new FormatError(`Cannot read ${name}, line ${line}: ${found}, expected ${expected}`, {
        context: { file: name, line, found, expected },
      });
    if (fields.length !== header.fields.length) throw fail(`${fields.length} fields`, `${header.fields.length}`);
    const sample = new Metadata(`${name}, line ${line}`, header.fields.map((key, i) => [key, fields[i]!] as const));
    if (seen.has(sample.id)) throw fail(`sample ${sample.id} again`, "every sample once");
    seen.add(sample.id);
    return sample;
  });
}

/** A catalogue as CSV with the byte order mark of HEST's. */
export function catalogueCsv(samples: readonly Readonly<Record<string, MetadataValue | undefined>>[]): string {
  const keys = [...new Set(samples.flatMap((sample) => Object.keys(sample)))];
  const field = (value: MetadataValue | undefined) =>
    value === null || value === undefined || Number.isNaN(value) ? "" : String(value);
  return `\uFEFF${csvLine(keys)}${samples.map((sample) => csvLine(keys.map((key) => field(sample[key])))).join("")}`;
}

/** The sample a file of HEST belongs to: its name up to the first `_` or `.`. */
export function sampleOf(fileName: string): string {
  return /^[^_.]*/.exec(fileName.replace(/^.*[/\\]/, ""))![0];
}
