/**
 * Lines of a text file that may be packed with gzip, as they are read: a file of any size takes the memory of a line.
 *
 * @module
 */

import { FormatError, type SealError } from "../core/errors.ts";
import { type RandomAccess, readChunks } from "./random_access.ts";
import { gunzip } from "../host/zlib.ts";

/** Most characters of a line. */
const MOST_LINE = 1 << 24;
/** Most fields of a line. */
const MOST_FIELDS = 1 << 20;
/** Most bytes a file may unpack to. */
const MOST_BYTES = 2 ** 36;

/** An error that names the file and the line. */
export function lineError(name: string, line: number, found: string, expected: string): FormatError {
  return new FormatError(`Cannot read ${name}, line ${line}: ${found}, expected ${expected}`, {
    context: { file: name, line, found, expected },
  });
}

/** Text made short for a message. */
export function shown(text: string | undefined): string {
  return text === undefined ? "nothing" : JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/**
 * Lines without their ends, numbered from 1. A byte order mark is left out; compression is recognised by content, not by name.
 *
 * @throws {FormatError} If the text is no UTF-8, or the packing is damaged.
 */
export async function* readLines(source: RandomAccess): AsyncGenerator<{ line: number; text: string }> {
  const head = await source.read(0, Math.min(2, source.size));
  const packed = head[0] === 0x1f && head[1] === 0x8b;
  const raw = readChunks(source, 0, source.size, 1 << 20);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  let line = 0;
  let bytes = 0;
  const trimmed = (text: string) => text.endsWith("\r") ? text.slice(0, -1) : text;
  try {
    for await (const chunk of packed ? gunzip(raw) : raw) {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) throw lineError(source.name, line, "yet more text", `at most ${MOST_BYTES} bytes`);
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop()!;
      if (rest.length > MOST_LINE) throw lineError(source.name, line + 1, "a longer line", `at most ${MOST_LINE}`);
      for (const text of parts) yield { line: ++line, text: trimmed(text) };
    }
    rest += decoder.decode();
  } catch (cause) {
    if ((cause as Partial<SealError>).exitCode !== undefined) throw cause;
    const found = cause instanceof TypeError ? "bytes that are no UTF-8" : `damage (${(cause as Error).message})`;
    throw lineError(source.name, line + 1, found, packed ? "undamaged gzip of text" : "text");
  }
  if (rest !== "") yield { line: ++line, text: trimmed(rest) };
}

/**
 * Fields of a line between tabs, or of a spreadsheet's line in quotes: within them a quote is doubled, and a tab is text.
 *
 * @throws {FormatError} Of a quote that is never closed, or too many fields.
 */
export function splitTabs(name: string, line: number, text: string): string[] {
  const fields: string[] = [];
  for (let at = 0; at <= text.length;) {
    if (fields.length === MOST_FIELDS) throw lineError(name, line, "yet more columns", `at most ${MOST_FIELDS}`);
    if (text[at] !== '"') {
      const end = text.indexOf("\t", at);
      fields.push(text.slice(at, end < 0 ? text.length : end));
      at = end < 0 ? text.length + 1 : end + 1;
      continue;
    }
    let end = text.indexOf('"', at + 1);
    while (end >= 0 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
    if (end < 0 || (end + 1 < text.length && text[end + 1] !== "\t")) {
      throw lineError(name, line, shown(text.slice(at)), "a field whose quotes close");
    }
    fields.push(text.slice(at + 1, end).replaceAll('""', '"'));
    at = end + 2;
  }
  return fields;
}

/** All lines that are not empty, split at tabs. */
export async function readTable(
  source: RandomAccess,
  columns: { least: number; most?: number },
): Promise<{ line: number; fields: string[] }[]> {
  const rows: { line: number; fields: string[] }[] = [];
  for await (const { line, text } of readLines(source)) {
    if (text === "") continue;
    const fields = splitTabs(source.name, line, text);
    if (fields.length < columns.least || fields.length > (columns.most ?? Infinity)) {
      throw lineError(source.name, line, `${fields.length} columns`, `${columns.least} or more, split by tabs`);
    }
    rows.push({ line, fields });
  }
  return rows;
}

/** A decimal number; NaN of anything else: `Number` would take 0x1F, 0b1 and an empty field, too. */
export function decimal(text: string): number {
  return /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(text) ? Number(text) : NaN;
}

/**
 * A field as a finite number.
 *
 * @throws {FormatError} If it is none.
 */
export function numberField(name: string, line: number, text: string | undefined, label: string): number {
  const value = text === undefined ? NaN : decimal(text);
  if (Number.isFinite(value)) return value;
  const comma = text !== undefined && /^\s*[-+]?\d+(,\d+)+\s*$/.test(text);
  throw lineError(
    name,
    line,
    `${shown(text)} as ${label}`,
    comma ? "a number with a decimal point and no commas" : "a number",
  );
}
