/**
 * Where the H&E image of a Xenium section lies: the vendor's matrix, or landmarks, from pixels of the H&E to pixels of the
 * morphology image.
 *
 * Source: 10x Genomics, "Xenium Explorer: image alignment"; the key points have the columns fixedX, fixedY, alignmentX, alignmentY.
 *
 * @module
 */

import { DataError, FormatError } from "../core/errors.ts";
import { parseCsv } from "./csv.ts";
import { decimal } from "./text_lines.ts";

/** An affine map: x' = a x + b y + c, y' = d x + e y + f. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

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

/** Where a map puts a point. */
export function mapPoint([a, b, c, d, e, f]: Affine, x: number, y: number): [x: number, y: number] {
  return [a * x + b * y + c, d * x + e * y + f];
}

/** Side of a pixel as the map stretches it: the root of the area of its image. */
export function stretchOf([a, b, , d, e]: Affine): number {
  return Math.sqrt(Math.abs(a * e - b * d));
}

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
  const map = fitAffine(file, rows);
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
  if (rows.length !== 3) throw problem(file, rows.length, `the last of ${rows.length} rows`, wanted);
  if (last![0] !== 0 || last![1] !== 0 || last![2] !== 1) throw problem(file, 3, last!.join(", "), "0, 0, 1");
  return [...first!, ...second!] as unknown as Affine;
}

/** Least squares over landmarks: x and y of the H&E, then of the morphology image. */
function fitAffine(file: string, rows: readonly number[][]): Affine {
  const n = rows.length;
  const mean = [0, 1, 2, 3].map((k) => rows.reduce((sum, row) => sum + row[k]!, 0) / n);
  let [xx, xy, yy, xu, yu, xv, yv] = [0, 0, 0, 0, 0, 0, 0];
  for (const row of rows) {
    const [x, y, u, v] = row.map((value, k) => value - mean[k]!) as [number, number, number, number];
    xx += x * x;
    xy += x * y;
    yy += y * y;
    xu += x * u;
    yu += y * u;
    xv += x * v;
    yv += y * v;
  }
  const determinant = xx * yy - xy * xy;
  if (n < 3 || !(determinant > 1e-9 * xx * yy)) {
    throw new DataError(`Cannot align by ${file}: ${n} landmarks, or all on one line; three apart wanted`, {
      code: "alignment",
      hint: "Set more landmarks in Xenium Explorer, far apart, and export them again",
      context: { file, found: `${n} landmarks`, expected: "three apart" },
    });
  }
  const [a, b] = [(xu * yy - yu * xy) / determinant, (yu * xx - xu * xy) / determinant];
  const [d, e] = [(xv * yy - yv * xy) / determinant, (yv * xx - xv * xy) / determinant];
  return [a, b, mean[2]! - a * mean[0]! - b * mean[1]!, d, e, mean[3]! - d * mean[0]! - e * mean[1]!];
}

function checked(file: string, map: Affine, landmarks: readonly number[] | undefined): HeAlignment {
  const [a, b, c, d, e, f] = map;
  const determinant = a * e - b * d;
  const squares = a * a + b * b + d * d + e * e;
  const spread = Math.sqrt(Math.max(0, squares * squares - 4 * determinant * determinant));
  const stretch = Math.sqrt((squares + spread) / (squares - spread));
  if (!(Math.abs(determinant) > 1e-9) || !(stretch <= MOST_STRETCH)) {
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
  const [p, q, r, s] = [e / determinant, -b / determinant, -d / determinant, a / determinant];
  return { file, toMorphology: map, toHe: [p, q, -(p * c + q * f), r, s, -(r * c + s * f)], landmarks };
}
