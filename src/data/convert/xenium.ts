/**
 * Transcripts of Xenium pooled to squares, as HEST does it: the lattice begins at the least coordinates of all transcripts, and
 * squares in which something is counted are kept. Transcripts of low quality and of controls are not counted, but how many they
 * were is.
 *
 * Source: HEST-Library, `xenium_to_pseudo_visium`, which counts all; the quality is the vendor's threshold.
 *
 * @module
 */

import { mapPoint, stretchOf } from "../../core/affine.ts";
import { assert, DataError, LimitError } from "../../core/errors.ts";
import { MOST_ENTRIES } from "../../io/sparse.ts";
import { type FeatureCounts, GENES } from "../../io/tenx_h5.ts";
import type { TranscriptFile } from "../../io/xenium.ts";
import type { HeAlignment } from "../../io/xenium_alignment.ts";
import { isControl, makeUnique } from "../genes/genes.ts";
import { TOO_LARGE } from "../counts.ts";
import { countsOf } from "./pooled_counts.ts";
import type { ReadSample } from "./convert_sample.ts";

/** What is pooled and how. */
export interface XeniumInput {
  readonly sample: string;
  readonly transcripts: TranscriptFile;
  /** The panel, where the bundle has its counts of cells; else genes are those of the transcripts. */
  readonly panel: Pick<FeatureCounts, "names" | "ids" | "types"> | undefined;
  /** µm a pixel of the morphology image. */
  readonly pixelSize: number;
  readonly alignment: HeAlignment;
  /** Of the H&E, pixels. */
  readonly image: { readonly width: number; readonly height: number };
  /** Side of the squares, µm. */
  readonly side: number;
  /** Least quality that counts. */
  readonly quality: number;
  onRows?(done: number, total: number): void;
}

/** µm a pixel of the H&E image. */
export function hePixelSize(pixelSize: number, { toMorphology }: HeAlignment): number {
  // Rounding errors would make windows of a whole number of pixels fall one short.
  return Number((pixelSize * stretchOf(toMorphology)).toPrecision(9));
}

/**
 * Pools a section.
 *
 * @throws {FormatError} If the transcripts are damaged.
 * @throws {DataError} If nothing is counted, or no square lies on the image.
 * @throws {LimitError} If squares times genes do not fit in memory.
 */
export async function poolTranscripts(input: XeniumInput): Promise<ReadSample> {
  const { transcripts, side, pixelSize, alignment, image } = input;
  const lattice = await latticeOf(input);
  const { genes, geneIds, place } = genesOf(input);
  const growing = input.panel === undefined;
  const names = growing ? await namesOf(transcripts) : genes;
  if (growing) names.forEach((name, j) => place.set(name, j));
  const { places, sums, dropped, counted } = await addUp(input, lattice, place, names.length);
  const at = [...places].sort(([a], [b]) => a - b).map(([square, sum]) => {
    const [row, column] = [Math.floor(square / lattice.columns), square % lattice.columns];
    const [x, y] = [lattice.x + (column + 0.5) * side, lattice.y + (row + 0.5) * side];
    return { sum, row, column, place: mapPoint(alignment.toHe, x / pixelSize, y / pixelSize) };
  });
  const kept = at.filter(({ place: [x, y] }) => x >= 0 && y >= 0 && x < image.width && y < image.height);
  if (kept.length === 0) throw nothingLeft(input, at.length, counted, dropped);
  const matrix = countsOf(transcripts.name, names.length, kept.map(({ sum }) => sum), sums);
  const size = hePixelSize(pixelSize, alignment);
  const three = (n: number) => String(n).padStart(3, "0");
  return {
    technology: "Xenium",
    barcodes: kept.map(({ row, column }) => `${three(row)}x${three(column)}`),
    genes: makeUnique(names),
    ...(geneIds === undefined ? {} : { geneIds }),
    counts: matrix,
    arrayRow: Int32Array.from(kept, ({ row }) => row),
    arrayCol: Int32Array.from(kept, ({ column }) => column),
    spatial: Float64Array.from(kept.flatMap((square) => square.place)),
    pixels: { size, residual: residualOf(alignment) * pixelSize, neighbours: undefined, reference: undefined },
    dropped: { outsideImage: at.length - kept.length, ...dropped },
    warnings: warningsOf(input),
  };
}

/** Root mean square of the landmarks' distances, pixels of the morphology image; 0 of a matrix. */
function residualOf({ landmarks }: HeAlignment): number {
  if (landmarks === undefined) return 0;
  return Math.sqrt(landmarks.reduce((sum, away) => sum + away * away, 0) / landmarks.length);
}

/** µm beyond which a landmark is said to lie off. */
const MOST_AWAY = 10;

function warningsOf({ sample, alignment: { landmarks, file }, pixelSize }: XeniumInput): string[] {
  if (landmarks === undefined) return [];
  if (landmarks.length === 3) {
    return [`${sample}: three landmarks in ${file} fit exactly: nothing tells how well they lie`];
  }
  const most = Math.max(...landmarks) * pixelSize;
  if (most <= MOST_AWAY) return [];
  const which = landmarks.indexOf(Math.max(...landmarks)) + 1;
  return [`${sample}: landmark ${which} of ${file} lies ${most.toFixed(1)} µm from where the others put it`];
}

/** Most squares of a lattice: their numbers are to be exact. */
const MOST_SQUARES = 2 ** 48;

interface Lattice {
  /** Least coordinates, µm. */
  readonly x: number;
  readonly y: number;
  readonly rows: number;
  readonly columns: number;
}

async function latticeOf({ sample, transcripts, side }: XeniumInput): Promise<Lattice> {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for await (const { x, y } of transcripts.places()) {
    for (let i = 0; i < x.length; i++) {
      if (x[i]! < box[0]!) box[0] = x[i]!;
      if (y[i]! < box[1]!) box[1] = y[i]!;
      if (x[i]! > box[2]!) box[2] = x[i]!;
      if (y[i]! > box[3]!) box[3] = y[i]!;
    }
  }
  const [left, top, right, bottom] = box as [number, number, number, number];
  if (left <= right) {
    const [rows, columns] = [1 + Math.floor((bottom - top) / side), 1 + Math.floor((right - left) / side)];
    if (rows * columns > MOST_SQUARES) throw tooMany(sample, rows * columns, " of the lattice", MOST_SQUARES);
    return { x: left, y: top, rows, columns };
  }
  throw new DataError(`Cannot pool ${sample}: ${transcripts.name} has no transcripts, some wanted`, {
    code: "no-transcripts",
    context: { sample, file: transcripts.name },
  });
}

/** Genes of the panel, and where each name goes. */
function genesOf(
  { panel }: XeniumInput,
): { genes: string[]; geneIds: string[] | undefined; place: Map<string, number> } {
  const chosen = panel === undefined ? [] : [...panel.names.keys()].filter((j) => panel.types[j] === GENES);
  const genes = chosen.map((j) => panel!.names[j]!);
  const place = new Map<string, number>();
  genes.forEach((name, j) => place.has(name) || place.set(name, j));
  return { genes, geneIds: panel === undefined ? undefined : chosen.map((j) => panel.ids[j]!), place };
}

/** Names of the genes that were seen, in order. */
async function namesOf(transcripts: TranscriptFile): Promise<string[]> {
  const names = new Set<string>();
  for await (const group of transcripts.read()) for (const name of group.names) if (!isControl(name)) names.add(name);
  return [...names].sort();
}

/** Counts of the squares that have some: the lattice spans all transcripts, and one that lies far off makes it large. */
async function addUp(
  { sample, transcripts, side, quality, onRows }: XeniumInput,
  lattice: Lattice,
  place: ReadonlyMap<string, number>,
  width: number,
) {
  /** Where the sums of a square begin, in squares. */
  const places = new Map<number, number>();
  let sums = new Uint32Array(0);
  const dropped = { lowQuality: 0, controls: 0 };
  let counted = 0;
  for await (const { from, x, y, quality: qv, names } of transcripts.read()) {
    for (let i = 0; i < x.length; i++) {
      const gene = place.get(names[i]!);
      if (gene === undefined) {
        dropped.controls++;
        continue;
      }
      if (qv[i]! < quality) {
        dropped.lowQuality++;
        continue;
      }
      const [row, column] = [Math.floor((y[i]! - lattice.y) / side), Math.floor((x[i]! - lattice.x) / side)];
      const square = row * lattice.columns + column;
      let at = places.get(square);
      if (at === undefined) {
        places.set(square, at = places.size);
        sums = roomFor(sample, sums, places.size, width);
      }
      sums[at * width + gene]!++;
      counted++;
    }
    onRows?.(from + x.length, transcripts.rows);
  }
  assert(counted + dropped.controls + dropped.lowQuality === transcripts.rows, `transcripts of ${sample} are lost`);
  assert(counted < TOO_LARGE * Math.max(1, places.size), `counts of ${sample} are too large`);
  return { places, sums, dropped, counted };
}

/** The sums, in twice the room where so many squares do not fit. */
function roomFor(sample: string, sums: Uint32Array<ArrayBuffer>, squares: number, width: number) {
  if (squares * width <= sums.length) return sums;
  if (squares * width > MOST_ENTRIES) throw tooMany(sample, squares, ` of ${width} genes`, MOST_ENTRIES / width);
  const larger = new Uint32Array(Math.min(MOST_ENTRIES, 2 * squares * width));
  larger.set(sums);
  return larger;
}

function tooMany(sample: string, squares: number, of: string, most: number): LimitError {
  return new LimitError(`Cannot pool ${sample}: ${squares} squares${of}, at most ${Math.floor(most)}`, {
    hint: "Pass a larger --pitch-um",
    context: { sample, squares, most },
  });
}

function nothingLeft(
  { sample, alignment, image, transcripts, quality }: XeniumInput,
  squares: number,
  counted: number,
  dropped: { readonly lowQuality: number; readonly controls: number },
): DataError {
  if (counted === 0) {
    const found = `${dropped.controls} of controls and ${dropped.lowQuality} below quality ${quality}`;
    return new DataError(`Cannot pool ${sample}: of ${transcripts.rows} transcripts ${found}, some that count wanted`, {
      code: "no-transcripts",
      hint: "Pass a smaller --min-qv, or check that counts and transcripts are of one panel",
      context: { sample, ...dropped },
    });
  }
  const size = `${image.width}x${image.height} pixels`;
  return new DataError(`Cannot convert ${sample}: none of ${squares} squares lies on the image of ${size}`, {
    code: "alignment",
    hint:
      "The alignment must lead from pixels of the H&E to pixels of the morphology image, as Xenium Explorer exports it; " +
      "check that it is this image's",
    context: { sample, alignment: alignment.file, squares, ...image },
  });
}
