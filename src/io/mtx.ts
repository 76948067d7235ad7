/**
 * Feature-barcode matrices of 10x Genomics as a folder: `matrix.mtx`, `features.tsv` (`genes.tsv` in version 2) and
 * `barcodes.tsv`, each packed with gzip or not; and Matrix Market files themselves.
 *
 * Source: https://math.nist.gov/MatrixMarket/formats.html
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { Names } from "./names.ts";
import type { Folder, RandomAccess } from "./random_access.ts";
import { Entries, type Matrix } from "./sparse.ts";
import { type FeatureCounts, GENES } from "./tenx_h5.ts";
import { decimal, lineError, readLines, readTable, shown } from "./text_lines.ts";

/** Most rows or columns. */
const MOST = 1 << 25;

/**
 * Reads a Matrix Market file of numbers by coordinates and turns it: its columns become rows. Entries of one place are added
 * up, as everywhere.
 *
 * @param onSize Told the rows and columns before memory is taken for them; may refuse them.
 * @throws {FormatError} Naming the line.
 */
export async function readTurnedMtx(
  source: RandomAccess,
  onSize?: (rows: number, columns: number) => void,
): Promise<Matrix> {
  const { name } = source;
  const entries = new Entries();
  let size: [number, number, number] | undefined;
  let begun = false;
  for await (const { line, text } of readLines(source)) {
    if (!begun) {
      begun = true;
      if (!/^%%MatrixMarket\s+matrix\s+coordinate\s+(integer|unsigned-integer|real)\s+general\s*$/i.test(text)) {
        throw lineError(name, line, shown(text), "%%MatrixMarket matrix coordinate integer general (or real)");
      }
      continue;
    }
    if (text.startsWith("%") || text.trim() === "") continue;
    const fields = text.trim().split(/\s+/);
    const numbers = fields.map(decimal);
    if (size === undefined) {
      if (numbers.length !== 3 || numbers.some((n) => !Number.isSafeInteger(n) || n < 0 || n > 2 ** 40)) {
        throw lineError(name, line, shown(text), "rows, columns and number of entries");
      }
      size = numbers as [number, number, number];
      if (size[0] > MOST || size[1] > MOST) throw lineError(name, line, shown(text), `at most ${MOST} rows or columns`);
      onSize?.(size[0], size[1]);
      if (size[2] > size[0] * size[1]) {
        throw lineError(name, line, `${size[2]} entries`, `at most ${size[0]} x ${size[1]}`);
      }
      continue;
    }
    const [row = 0, column = 0, value = NaN] = numbers;
    if (fields.length !== 3 || !Number.isFinite(value) || !Number.isInteger(row) || !Number.isInteger(column)) {
      throw lineError(name, line, shown(text), "row, column and value");
    }
    if (row < 1 || row > size[0] || column < 1 || column > size[1]) {
      throw lineError(name, line, `place ${row}, ${column}`, `1, 1 to ${size[0]}, ${size[1]}`);
    }
    if (entries.length === size[2]) throw lineError(name, line, "yet another entry", `${size[2]}, as the header says`);
    entries.add(column - 1, row - 1, value);
  }
  if (size === undefined) throw lineError(name, 1, "no header", "%%MatrixMarket and extents");
  if (entries.length !== size[2]) {
    throw lineError(name, size[2], `${entries.length} entries`, `${size[2]}, as the header says`);
  }
  return entries.matrix(name, size[1], size[0]);
}

/**
 * Reads a folder of counts.
 *
 * @throws {FormatError} If a file is damaged or they disagree.
 * @throws {DataError} If one is missing.
 */
export async function readMex(folder: Folder): Promise<FeatureCounts> {
  const names = await folder.list();
  const features = await table(folder, names, ["features.tsv", "genes.tsv"], 1);
  const barcodes = await table(folder, names, ["barcodes.tsv"], 1);
  const matrix = await opened(folder, names, ["matrix.mtx"], (source) =>
    readTurnedMtx(source, (rows, columns) => {
      for (const [table, wanted, what] of [[features, rows, "rows"], [barcodes, columns, "columns"]] as const) {
        const { name, lines } = table;
        if (lines.length === wanted) continue;
        throw lineError(name, lines.length, `${lines.length} lines`, `${wanted}, as ${source.name} has ${what}`);
      }
    }));
  return {
    barcodes: Names.of(barcodes.lines.map(([barcode]) => barcode!)),
    ids: features.lines.map(([id]) => id!),
    names: features.lines.map(([id, name]) => name ?? id!),
    types: features.lines.map(([, , type]) => type ?? GENES),
    counts: matrix,
  };
}

async function table(
  folder: Folder,
  names: readonly string[],
  wanted: readonly string[],
  least: number,
): Promise<{ name: string; lines: string[][] }> {
  return await opened(folder, names, wanted, async (source) => ({
    name: source.name,
    lines: (await readTable(source, { least })).map(({ fields }) => fields),
  }));
}

/** Opens the first of `wanted` that is there, packed or not; a prefix, as GEO puts one, is allowed where it is the only one. */
async function opened<T>(
  folder: Folder,
  names: readonly string[],
  wanted: readonly string[],
  use: (source: RandomAccess) => Promise<T>,
): Promise<T> {
  const all = wanted.flatMap((name) => [`${name}.gz`, name]);
  const prefixed = names.filter((name) => all.some((end) => name.endsWith(end)));
  const found = all.find((name) => names.includes(name)) ?? (prefixed.length === 1 ? prefixed[0] : undefined);
  if (found === undefined) {
    throw new DataError(`Cannot read counts of ${folder.name}: it has no ${all.join(", ")}`, {
      ...(prefixed.length > 1
        ? { hint: `Give every sample a folder of its own: ${prefixed.slice(0, 3).join(", ")}` }
        : {}),
      context: { folder: folder.name, found: names.slice(0, 20), expected: all },
    });
  }
  const source = await folder.open(found);
  try {
    return await use(source);
  } finally {
    source.close?.();
  }
}
