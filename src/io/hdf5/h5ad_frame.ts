/**
 * Tables of `.h5ad` files, `obs` and `var`: an index and columns of any kind, in every layout anndata has written. Columns
 * are read when they are asked for, so that one nobody needs may be of a kind nobody knows.
 *
 * Source: https://anndata.readthedocs.io/en/latest/fileformat-prose.html
 *
 * @module
 */

import type { H5File } from "./h5.ts";

/** A column of a table. */
export type Column =
  | { readonly kind: "text"; readonly values: (string | undefined)[] }
  | { readonly kind: "number"; readonly values: Float64Array<ArrayBuffer> }
  | { readonly kind: "flag"; readonly values: (boolean | undefined)[] }
  | {
    readonly kind: "category";
    /** Number of the category, -1 where missing. */
    readonly codes: Int32Array;
    readonly categories: readonly string[];
    readonly ordered: boolean;
  };

/** A table. */
export interface Frame {
  /** File and place in it. */
  readonly name: string;
  /** Names of the rows. */
  readonly index: readonly string[];
  /** Names of the columns, in the file's order. */
  readonly columns: readonly string[];
  /**
   * A column; undefined where there is none of that name.
   *
   * @throws {FormatError} If it is damaged or of an unknown kind.
   */
  column(name: string): Column | undefined;
  /** A column as text, whatever its kind; undefined where a value is missing. */
  strings(name: string): (string | undefined)[] | undefined;
  /**
   * A column as numbers, NaN where a value is missing.
   *
   * @throws {FormatError} If it holds text that is no number.
   */
  numbers(name: string): Float64Array<ArrayBuffer> | undefined;
  /**
   * A column as flags: booleans, 0 and 1, or such words.
   *
   * @throws {FormatError} If it holds anything else.
   */
  flags(name: string): (boolean | undefined)[] | undefined;
}

/** Encodings that are read, with their versions. */
const ENCODINGS: ReadonlySet<string> = new Set([
  "anndata 0.1.0",
  "raw 0.1.0",
  "dict 0.1.0",
  "array 0.2.0",
  "string-array 0.2.0",
  "string 0.2.0",
  "numeric-scalar 0.2.0",
  "null 0.1.0",
  "rec-array 0.2.0",
  "csr_matrix 0.1.0",
  "csc_matrix 0.1.0",
  "dataframe 0.1.0",
  "dataframe 0.2.0",
  "categorical 0.2.0",
  "nullable-integer 0.1.0",
  "nullable-boolean 0.1.0",
  "nullable-string-array 0.1.0",
]);

/**
 * Encoding of an element, empty in files older than encodings.
 *
 * @throws {FormatError} If it is one nobody here knows.
 */
export function encodingOf(file: H5File, path: string): string {
  const attributes = file.attributes(path);
  const type = one(attributes["encoding-type"]);
  if (type === undefined) return "";
  const version = one(attributes["encoding-version"]);
  if (ENCODINGS.has(`${type} ${version}`)) return String(type);
  throw file.fail(path, `encoding ${type} ${version ?? "without version"}`, "one of anndata up to 0.12");
}

/** The value itself, or the only one of a list, as older files have it. */
export function one<T>(value: T | T[] | undefined): T | undefined {
  return Array.isArray(value) ? value.length === 1 ? value[0] : undefined : value;
}

/** Most rows of a table. */
const MOST_ROWS = 1 << 24;

/**
 * Opens a table.
 *
 * @param inUns Path of the group that holds categories in files before anndata 0.7.
 * @throws {FormatError} If there is no table there, or its index is damaged.
 */
export function openFrame(file: H5File, path: string, inUns: string = "/uns"): Frame {
  if (file.kind(path) === "dataset") return oldFrame(file, path, inUns);
  const encoding = encodingOf(file, path);
  if (encoding !== "" && encoding !== "dataframe") throw file.fail(path, `a ${encoding}`, "a dataframe");
  const attributes = file.attributes(path);
  const named = one(attributes["_index"]);
  const key = typeof named === "string" ? named : ["_index", "index"].find((k) => file.kind(`${path}/${k}`));
  if (key === undefined) throw file.fail(path, "no index", "an attribute _index");
  const index = readColumn(file, path, key, undefined);
  const order = attributes["column-order"];
  const columns = Array.isArray(order) || typeof order === "string"
    ? [order].flat().map(String)
    : file.keys(path).filter((k) => k !== key && k !== "__categories");
  const names = textOf(index).map((name, row) => {
    if (name === undefined) throw file.fail(`${path}/${key}`, `no name in row ${row}`, "a name for every row");
    return name;
  });
  return frame(file, path, names, columns, (name) => readColumn(file, path, name, names.length));
}

/** A table as anndata wrote it before 0.7: a compound dataset, with categories in `uns`. */
function oldFrame(file: H5File, path: string, inUns: string): Frame {
  const fields = file.fields(path);
  const key = ["index", "_index"].find((k) => fields.includes(k));
  if (key === undefined) throw file.fail(path, `fields ${fields.join(", ") || "none"}`, "a field index");
  const index = file.field(path, key);
  const columns = fields.filter((field) => field !== key);
  return frame(file, path, Array.from(index, String), columns, (name) => {
    const values = file.field(path, name);
    if (Array.isArray(values)) return { kind: "text", values };
    const categories = `${inUns}/${name}_categories`;
    if (file.kind(categories) !== "dataset") return { kind: "number", values };
    return category(file, `${path}.${name}`, values, categoryNames(file, categories), false);
  });
}

function frame(
  file: H5File,
  path: string,
  index: readonly string[],
  columns: readonly string[],
  read: (name: string) => Column,
): Frame {
  const cache = new Map<string, Column>();
  const column = (name: string): Column | undefined => {
    if (!columns.includes(name)) return undefined;
    const known = cache.get(name) ?? read(name);
    cache.set(name, known);
    return known;
  };
  return {
    name: `${file.name}:${path}`,
    index,
    columns,
    column,
    strings: (name) => {
      const found = column(name);
      return found && textOf(found);
    },
    numbers: (name) => {
      const found = column(name);
      return found && numbersOf(file, `${path}/${name}`, found);
    },
    flags: (name) => {
      const found = column(name);
      return found && flagsOf(file, `${path}/${name}`, found);
    },
  };
}

/** Values of a column as text. */
export function textOf(column: Column): (string | undefined)[] {
  switch (column.kind) {
    case "text":
      return column.values;
    case "number":
      return Array.from(column.values, (value) => Number.isNaN(value) ? undefined : String(value));
    case "flag":
      return column.values.map((value) => value === undefined ? undefined : value ? "True" : "False");
    default:
      return Array.from(column.codes, (code) => column.categories[code]);
  }
}

function numbersOf(file: H5File, path: string, column: Column): Float64Array<ArrayBuffer> {
  if (column.kind === "number") return column.values;
  if (column.kind === "flag") return Float64Array.from(column.values, (v) => v === undefined ? NaN : Number(v));
  return Float64Array.from(textOf(column), (text, row) => {
    if (text === undefined || /^\s*(nan)?\s*$/i.test(text)) return NaN;
    const value = Number(text);
    if (Number.isNaN(value)) throw file.fail(path, `${JSON.stringify(text)} in row ${row}`, "a number");
    return value;
  });
}

function flagsOf(file: H5File, path: string, column: Column): (boolean | undefined)[] {
  if (column.kind === "flag") return column.values;
  return textOf(column).map((text, row) => {
    if (text === undefined || text.trim() === "") return undefined;
    if (/^(1(\.0*)?|true)$/i.test(text)) return true;
    if (/^(0(\.0*)?|false)$/i.test(text)) return false;
    throw file.fail(path, `${JSON.stringify(text)} in row ${row}`, "true or false");
  });
}

function readColumn(file: H5File, path: string, name: string, length: number | undefined): Column {
  const place = `${path}/${name}`;
  const column = readElement(file, place, `${path}/__categories/${name}`);
  const found = column.kind === "category" ? column.codes.length : column.values.length;
  if (length !== undefined && found !== length) throw file.fail(place, `${found} values`, `${length}, one a row`);
  return column;
}

/**
 * Reads a list: text, numbers, flags, categories, with or without missing values.
 *
 * @param categories Where anndata 0.7 keeps the categories.
 */
export function readElement(file: H5File, path: string, categories?: string): Column {
  const kind = file.kind(path);
  if (kind === undefined) throw file.fail(path, "nothing", "a column");
  const encoding = encodingOf(file, path);
  if (kind === "dataset") return readList(file, path, categories);
  if (encoding === "categorical") {
    const { ordered } = file.attributes(path);
    const codes = listOf(file, `${path}/codes`).numbers();
    return category(file, path, codes, categoryNames(file, `${path}/categories`), Boolean(one(ordered)));
  }
  if (!encoding.startsWith("nullable-")) throw file.fail(path, `a group ${encoding || "without encoding"}`, "a column");
  const values = readList(file, `${path}/values`);
  if (file.kind(`${path}/mask`) === undefined) return values;
  const mask = listOf(file, `${path}/mask`).numbers();
  const length = values.kind === "category" ? 0 : values.values.length;
  if (mask.length !== length) throw file.fail(`${path}/mask`, `${mask.length} values`, `${length}`);
  return masked(values, mask, encoding === "nullable-boolean");
}

function masked(column: Column, mask: Float64Array, flags: boolean): Column {
  if (column.kind === "text" || column.kind === "flag") {
    const values = column.values.map((value, i) => mask[i] ? undefined : value);
    return { kind: column.kind, values } as Column;
  }
  if (column.kind === "category") return column;
  if (!flags) return { kind: "number", values: column.values.map((value, i) => mask[i] ? NaN : value) };
  return { kind: "flag", values: Array.from(column.values, (value, i) => mask[i] ? undefined : value !== 0) };
}

function readList(file: H5File, path: string, categories?: string): Column {
  const list = listOf(file, path);
  if (list.dtype === "str") return { kind: "text", values: file.strings(path) };
  const values = list.numbers();
  if (list.dtype === "bool") return { kind: "flag", values: Array.from(values, (v) => v !== 0) };
  if (categories === undefined || file.kind(categories) !== "dataset") return { kind: "number", values };
  const { ordered } = file.attributes(categories);
  return category(file, path, values, categoryNames(file, categories), Boolean(one(ordered)));
}

/** A dataset of one extent and bearable length. */
function listOf(file: H5File, path: string): { dtype: string; numbers(): Float64Array<ArrayBuffer> } {
  const { shape, dtype } = file.info(path);
  const [length = 0, width = 1] = shape ?? [];
  if (shape === undefined || shape.length < 1 || shape.length > 2 || width !== 1 || length > MOST_ROWS) {
    throw file.fail(path, `shape ${JSON.stringify(shape ?? null)}`, `a list of at most ${MOST_ROWS}`);
  }
  return { dtype, numbers: () => file.numbers(path) };
}

function categoryNames(file: H5File, path: string): string[] {
  return textOf(readElement(file, path)).map((name) => name ?? "");
}

function category(file: H5File, path: string, values: Float64Array, categories: string[], ordered: boolean): Column {
  const codes = Int32Array.from(values, (code, row) => {
    if (Number.isInteger(code) && code >= -1 && code < categories.length) return code;
    throw file.fail(path, `category ${code} in row ${row}`, `-1 to ${categories.length - 1}`);
  });
  return { kind: "category", codes, categories, ordered };
}
