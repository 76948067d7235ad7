/**
 * Tables of text with a row a tile: names of columns, or one number a line; corners and the slide's name where they stand there.
 *
 * @module
 */

import { DataError, FormatError } from "../core/errors.ts";
import { shortList } from "../data/cohort/cohort_table.ts";
import { type CsvRecord, parseCsv } from "../io/csv.ts";
import { positive, type TilePlaces } from "../io/tile_places.ts";
import { slideName } from "./names.ts";

/** Columns of a table with left upper corners, pixels of level 0. */
const CORNERS: readonly (readonly [string, string])[] = [
  ["x", "y"],
  ["coord_x", "coord_y"],
  ["coords_x", "coords_y"],
  ["x_coord", "y_coord"],
  ["x0", "y0"],
  ["left", "top"],
];
const SLIDE_COLUMNS: readonly string[] = ["slide_id", "slide", "slide_name", "wsi"];
/** Columns that say where a tile lies, and on which slide. */
export const PLACE_COLUMNS: ReadonlySet<string> = new Set([...CORNERS.flat(), ...SLIDE_COLUMNS]);

/** A field as a number; undefined where it is none. */
function numberIn(field: string): number | undefined {
  const text = field.trim();
  if (/^(|nan|na|none|null)$/i.test(text)) return NaN;
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  const value = Number(text);
  return Number.isNaN(value) ? undefined : value;
}

/** A table of text: a header, and a row a tile. */
export class ScoreTable {
  readonly header: readonly string[];
  readonly rows: readonly CsvRecord[];
  /** Whether it names slides. */
  readonly named: boolean;
  constructor(readonly path: string, text: string, slide: string) {
    const [head, ...rows] = parseCsv(text, path);
    const bare = head !== undefined && head.fields.every((field) => numberIn(field) !== undefined);
    // One number a line, as numpy.savetxt writes them.
    if (bare && head.fields.length > 1) {
      this.fail(head.line, `has no names of columns, but ${head.fields.slice(0, 3).join(", ")}`, "a header");
    }
    this.header = bare ? ["score"] : head?.fields.map((name) => name.trim()) ?? [];
    const all = bare ? [head, ...rows] : rows;
    for (const { line, fields } of all) {
      if (fields.length === this.header.length) continue;
      this.fail(line, `has ${fields.length} fields`, `${this.header.length} as in its header`);
    }
    this.rows = this.#ofSlide(all, slide);
    this.named = this.at(SLIDE_COLUMNS) !== undefined;
  }

  fail(line: number, found: string, expected: string): never {
    throw new FormatError(`Cannot read scores of ${this.path}: line ${line} ${found}, expected ${expected}`, {
      context: { file: this.path, line, found, expected },
    });
  }

  /** Rows of a slide, where the table names slides. */
  #ofSlide(rows: readonly CsvRecord[], slide: string): readonly CsvRecord[] {
    const at = this.at(SLIDE_COLUMNS);
    if (at === undefined) return rows;
    const nameOf = ({ fields }: CsvRecord) => fields[at]!.trim();
    const own = rows.filter((row) => nameOf(row) === slide || slideName(nameOf(row)) === slide);
    if (own.length > 0 || rows.length === 0) return own;
    const known = [...new Set(rows.map(nameOf))];
    throw new DataError(
      `Cannot draw scores of ${this.path} over ${slide}: its rows are of ${
        shortList(known)
      }, expected ${slide} among them`,
      {
        code: "other-slide",
        hint: `Give the slide they belong to, or mend the column ${this.header[at]}`,
        context: { file: this.path, slide, known: known.slice(0, 50) },
      },
    );
  }

  /** Place of the first of these columns that is there, whatever its case. */
  at(names: readonly string[]): number | undefined {
    const place = this.header.findIndex((name) => names.includes(name.toLowerCase()));
    return place < 0 ? undefined : place;
  }

  /** Numbers of a column. @throws {FormatError} If a field is none. */
  numbers(at: number): Float64Array {
    return Float64Array.from(this.rows, ({ line, fields }) => {
      const value = numberIn(fields[at]!);
      return value ?? this.fail(line, `has "${fields[at]!.slice(0, 40)}" in ${this.header[at]}`, "a number");
    });
  }

  /** Whether a column holds numbers. */
  isNumeric(at: number): boolean {
    return this.rows.every(({ fields }) => numberIn(fields[at]!) !== undefined) &&
      this.rows.some(({ fields }) => fields[at]!.trim() !== "");
  }

  /** Corners that the table has, and the side of a tile. */
  places(): TilePlaces {
    const pair = CORNERS.map(([x, y]) => [this.at([x]), this.at([y])]).find(([x, y]) =>
      x !== undefined && y !== undefined
    ) as [number, number] | undefined;
    const [xs, ys] = pair?.map((at) => this.numbers(at)) ?? [];
    const sides = this.at(["patch_size_level0"]);
    const coords = xs && Float64Array.from({ length: 2 * xs.length }, (_, i) => (i % 2 ? ys! : xs)[i >> 1]!);
    const side = sides === undefined || this.rows.length === 0 ? undefined : positive(this.numbers(sides)[0]);
    return { coords, side, unit: "px", patch: undefined, mpp: undefined, said: {}, notes: [] };
  }
}
