/**
 * Where the H&E image of a Xenium section lies: the vendor's matrix, or landmarks, from pixels of the H&E to pixels of the
 * morphology image.
 *
 * Source: 10x Genomics, "Xenium Explorer: image alignment"; the key points have the columns fixedX, fixedY, alignmentX, alignmentY.
 *
 * @module
 */

import {
  type Affine,
  anisotropyOf,
  fitAffine,
  inverseOf,
  mapPoint,
  type PointPair,
  stretchOf,
} from "../core/affine.ts";
import { DataError, FormatError } from "../core/errors.ts";
import { parseCsv } from "./csv.ts";
import { decimal } from "./text_lines.ts";

/** How an H&E image lies. */
export interface HeAlignment {
  readonly file: string;
  /** Pixels of the H&E to pixels of the morphology image, and back. */
  readonly toMorphology: Affine;
  readonly toHe: Affine;
  /** Of landmarks: how far each lies from where the map puts it, pixels of the morphology image. */
  readonly landmarks: readonly number[] | undefined;
}

/** Larger over smaller stretch beyond which a map is none of two images of one section. */
const MOST_STRETCH = 1.5;

/**
 * Reads a file: three rows of three numbers, or landmarks.
 *
 * @throws {FormatError} If it is neither, naming line and field.
 * @throws {DataError} If the map folds the image or stretches it, or landmarks are too few or on one line.
 */
export function readHeAlignment(text: string, file: string): HeAlignment {
  const records = parseCsv(text, file);
  const header = records[0]?.fields.map((field) => field.trim().toLowerCase()) ?? [];
  const columns = ["alignmentx", "alignmenty", "fixedx", "fixedy"].map((name) => header.indexOf(name));
  const places = columns.every((at) => at >= 0);
  const rows = (places ? records.slice(1) : records).map(({ line, fields }) => {
    const wanted = places ? columns : [0, 1, 2];
    if (!places && fields.length !== 3) {
      throw problem(file, line, `${fields.length} fields`, "3, or a header of landmarks");
    }
    return wanted.map((at) => {
      const value = decimal(fields[at] ?? "");
      if (Number.isFinite(value)) return value;
      throw problem(file, line, `"${(fields[at] ?? "").slice(0, 40)}"`, "a number");
    });
  });
  if (!places) return checked(file, matrixOf(file, rows), undefined);
  const map = fitLandmarks(file, rows);
  return checked(
    file,
    map,
    rows.map(([x, y, u, v]) => {
      const [p, q] = mapPoint(map, x!, y!);
      return Math.hypot(p - u!, q - v!);
    }),
  );
}

function problem(file: string, line: number, found: string, expected: string): FormatError {
  return new FormatError(`Cannot read the alignment ${file}: line ${line} has ${found}, expected ${expected}`, {
    context: { file, line, found, expected },
  });
}

function matrixOf(file: string, rows: readonly number[][]): Affine {
  const [first, second, last] = rows;
  const wanted = "three rows of three numbers, the last 0, 0, 1";
  if (rows.length === 0) throw problem(file, 1, "nothing", wanted);
  if (rows.length !== 3) throw problem(file, rows.length, `the last of ${rows.length} rows`, wanted);
  if (last![0] !== 0 || last![1] !== 0 || last![2] !== 1) throw problem(file, 3, last!.join(", "), "0, 0, 1");
  return [...first!, ...second!] as unknown as Affine;
}

/** Least squares over landmarks: x and y of the H&E, then of the morphology image. */
function fitLandmarks(file: string, rows: readonly number[][]): Affine {
  const fit = fitAffine(rows.length, (i) => rows[i] as unknown as PointPair);
  if (fit !== undefined) return fit.map;
  throw new DataError(`Cannot align by ${file}: ${rows.length} landmarks, or all on one line; three apart wanted`, {
    code: "alignment",
    hint: "Set more landmarks in Xenium Explorer, far apart, and export them again",
    context: { file, found: `${rows.length} landmarks`, expected: "three apart" },
  });
}

function checked(file: string, map: Affine, landmarks: readonly number[] | undefined): HeAlignment {
  const stretch = anisotropyOf(map);
  if (!(stretchOf(map) ** 2 > 1e-9) || !(stretch <= MOST_STRETCH)) {
    throw new DataError(
      `Cannot align by ${file}: it folds the image to a line or stretches one axis by ${stretch.toFixed(2)}, ` +
        `at most ${MOST_STRETCH} wanted`,
      {
        code: "alignment",
        hint: "Check that it is the H&E's alignment",
        context: { file, found: [...map], expected: `a stretch of at most ${MOST_STRETCH}` },
      },
    );
  }
  return { file, toMorphology: map, toHe: inverseOf(map), landmarks };
}
