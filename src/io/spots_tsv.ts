/**
 * Files of Spatial Transcriptomics before Visium: counts as a table of spots by genes, and the selection of spots that lie
 * under tissue with their places on the image.
 *
 * Spots are named `XxY` after their place in the array.
 *
 * @module
 */

import { FormatError } from "../core/errors.ts";
import type { RandomAccess } from "./random_access.ts";
import { Entries, type Matrix } from "./sparse.ts";
import { lineError, numberField, readLines, shown, splitTabs } from "./text_lines.ts";

/** Counts of a sample. */
export interface SpotCounts {
  /** Names of the spots as the file has them. */
  readonly spots: readonly string[];
  readonly genes: readonly string[];
  /** Places in the array `[spots, 2]`, x then y. */
  readonly places: Float64Array<ArrayBuffer>;
  readonly counts: Matrix;
}

const SPOT = /^(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)$/;

/**
 * Reads counts, packed with gzip or not: the first line has the genes, every other one a spot and its counts.
 *
 * @throws {FormatError} Naming the line.
 */
export async function readSpotCounts(source: RandomAccess): Promise<SpotCounts> {
  const { name } = source;
  const entries = new Entries();
  const spots = new Map<string, number>();
  const places: number[] = [];
  let genes: string[] | undefined;
  for await (const { line, text } of readLines(source)) {
    if (text === "") continue;
    const fields = splitTabs(name, line, text);
    if (genes === undefined) {
      // R leaves the corner out, pandas leaves it empty: the first row of counts tells.
      genes = fields;
      continue;
    }
    if (spots.size === 0) genes = checkHeader(name, line, genes, fields);
    if (fields.length !== genes.length + 1) {
      throw lineError(name, line, `${fields.length} columns`, `a spot and ${genes.length} counts`);
    }
    const place = SPOT.exec(fields[0]!);
    if (place === null) throw lineError(name, line, shown(fields[0]), "a spot like 8x10");
    const row = spots.size;
    const before = spots.get(fields[0]!);
    if (before !== undefined) throw lineError(name, line, `spot ${fields[0]} again`, "every spot once");
    spots.set(fields[0]!, line);
    places.push(Number(place[1]), Number(place[2]));
    for (let column = 0; column < genes.length; column++) {
      const field = fields[column + 1]!;
      if (field === "0") continue;
      const value = numberField(name, line, field, `count of ${genes[column]}`);
      if (value < 0) throw lineError(name, line, `${shown(field)} as count of ${genes[column]}`, "0 or more");
      if (value !== 0) entries.add(row, column, value);
    }
  }
  if (genes === undefined || spots.size === 0) {
    throw lineError(name, 1, genes ? "no spots" : "no text", "genes, then spots");
  }
  return {
    spots: [...spots.keys()],
    genes,
    places: Float64Array.from(places),
    counts: entries.matrix(name, spots.size, genes.length),
  };
}

function checkHeader(name: string, line: number, header: string[], first: string[]): string[] {
  const corner = header.length === first.length;
  const genes = corner ? header.slice(1) : header;
  if (genes.length > 0 && genes.every((gene) => SPOT.test(gene))) {
    throw new FormatError(`Cannot read ${name}, line 1: spots such as ${genes[0]}, expected genes`, {
      hint: "The table is turned: write it with a row for every spot",
      context: { file: name, line: 1, found: genes[0], expected: "genes" },
    });
  }
  if (header.length !== first.length && header.length !== first.length - 1) {
    throw lineError(name, line, `${first.length} columns`, `${header.length}, as there are in line 1`);
  }
  const empty = genes.findIndex((gene) => gene === "");
  if (empty >= 0) throw lineError(name, 1, `no name in column ${empty + 1}`, "a gene");
  return genes;
}

/** A spot of a selection. */
export interface SelectedSpot {
  /** Name in the table of counts. */
  readonly name: string;
  /** Place in the array. */
  readonly x: number;
  readonly y: number;
  /** Place in the array with the error of printing, where the file has it. */
  readonly newX: number | undefined;
  readonly newY: number | undefined;
  /** Centre in pixels of the image. */
  readonly pixelX: number;
  readonly pixelY: number;
  /** Whether it lies under tissue; files with selected spots only do not say so. */
  readonly selected: boolean;
}

/**
 * Reads a selection, whose first line names the columns: x, y, new_x, new_y, pixel_x, pixel_y and perhaps selected.
 *
 * @throws {FormatError} Naming the line.
 */
export async function readSpotSelection(source: RandomAccess): Promise<SelectedSpot[]> {
  const { name } = source;
  const out: SelectedSpot[] = [];
  const seen = new Set<string>();
  let header: string[] | undefined;
  for await (const { line, text } of readLines(source)) {
    if (text === "") continue;
    const fields = splitTabs(name, line, text);
    if (header === undefined) {
      header = fields.map((field) => field.trim());
      for (const column of ["x", "y", "pixel_x", "pixel_y"]) {
        if (!header.includes(column)) {
          throw lineError(name, line, `columns ${shown(header.join(", "))}`, `a header with ${column}`);
        }
      }
      continue;
    }
    if (fields.length !== header.length) throw lineError(name, line, `${fields.length} columns`, `${header.length}`);
    const number = (column: string): number => numberField(name, line, fields[header!.indexOf(column)], column);
    const maybe = (column: string) => header!.includes(column) ? number(column) : undefined;
    const [x, y] = [number("x"), number("y")];
    const spot = `${x}x${y}`;
    if (seen.has(spot)) throw lineError(name, line, `spot ${spot} again`, "every spot once");
    seen.add(spot);
    out.push({
      name: spot,
      x,
      y,
      newX: maybe("new_x"),
      newY: maybe("new_y"),
      pixelX: number("pixel_x"),
      pixelY: number("pixel_y"),
      selected: (maybe("selected") ?? 1) !== 0,
    });
  }
  if (header === undefined) throw lineError(name, 1, "no text", "a header");
  return out;
}
