/**
 * Serial sections of one block as a volume of few, thick slices: images of the sections laid on the first of them, a slice each.
 * This is no continuous volume, and is named so wherever it is used.
 *
 * A table (TSV or CSV), a section a line, from the one side of the block to the other:
 *
 * | column | is |
 * |---|---|
 * | `image` | picture of the section: TIFF pyramid, JPEG or PNG; from the table's folder where it is no whole path |
 * | `z` | µm; sections are equally far apart |
 * | `um_per_px` | side of a pixel of the picture |
 * | `patient` | whose it is: all of one |
 * | `landmarks` | if need be: where its places lie on the first section (`landmarks.ts`; `volume_z` is its z) |
 * | `spots` | or in place of them: `.h5ad` with places of spots in pixels of the picture, whose footprint is laid on that of the section before by a rotation and a shift |
 * | `stack_um` | if need be, in the first line: side of the voxels; a pixel of the first picture if not given |
 *
 * Without landmarks and spots a section lies as its picture does. Where a picture ends the slice is white.
 *
 * @module
 */

import { type Affine, inverseOf, mapPoint } from "../core/affine.ts";
import { DataError } from "../core/errors.ts";
import { fitRigid, move, type PlanePoint } from "../core/rigid.ts";
import { FoldTable } from "../data/cohort/cohort_table.ts";
import { bestLevel, openSlide, type Slide } from "../data/image/slide.ts";
import { decodeText } from "../io/csv.ts";
import { type Disk, randomAccess, readBytes } from "../io/disk.ts";
import { H5ad } from "../io/hdf5/h5ad.ts";
import { besides, parentOf } from "../io/output.ts";
import { checkShape, type FoundVolume } from "./found.ts";
import { fitLandmarks, readLandmarks, type SectionFit } from "./landmarks.ts";
import { boxSize, type Voxels, type Zyx } from "./volume.ts";

const WANTED = ["image", "z", "um_per_px", "patient"] as const;
const KNOWN: readonly string[] = [...WANTED, "landmarks", "spots", "stack_um"];
const WHITE = 255;

/** A section of a stack. */
export interface SerialSection {
  readonly image: string;
  /** µm, as the table has it, and from the first section on. */
  readonly z: number;
  readonly depth: number;
  readonly umPerPixel: number;
  /** From places on the section, µm, to places on the first. */
  readonly map: Affine;
  /** How it was laid, and by how much that misses, µm, where it can be told. */
  readonly laid: string;
}

/** What a volume of serial sections is made of. */
export interface SerialStack {
  readonly patient: string;
  readonly sections: readonly SerialSection[];
}

interface Line {
  readonly line: number;
  readonly image: string;
  readonly z: number;
  readonly umPerPixel: number;
  readonly patient: string;
  readonly landmarks: string;
  readonly spots: string;
  readonly stackUm: number | undefined;
}

/** Whether a text begins as a table of serial sections. */
export function isSerialTable(text: string): boolean {
  const header = text.split(/\r?\n/, 1)[0]!.split(/[\t,]/).map((name) => name.trim());
  return header.includes("image") && header.includes("um_per_px");
}

function linesOf(disk: Disk, file: string): Line[] {
  const table = new FoldTable(decodeText(readBytes(disk, file), file), file, "the table of serial sections");
  const { header } = table;
  const missing = WANTED.find((name) => !header.includes(name));
  const strange = header.find((name) => !KNOWN.includes(name));
  if (missing !== undefined || strange !== undefined) {
    const found = missing !== undefined ? `has no column ${missing}` : `has a column ${JSON.stringify(strange)}`;
    table.fail(1, found, `${KNOWN.join(", ")}, the last three where they are needed`);
  }
  const folder = parentOf(file);
  const lines = Array.from(table.records(), ({ line, fields }): Line => {
    const of = (name: string) => fields[header.indexOf(name)] ?? "";
    for (const name of WANTED) if (of(name) === "") table.fail(line, `has no ${name}`, "one");
    const number = (name: string, least: number) => {
      const value = of(name) === "" ? NaN : Number(of(name));
      if (!(value > least && value < Infinity)) table.fail(line, `has ${name} ${JSON.stringify(of(name))}`, "µm");
      return value;
    };
    const at = (name: string) => (of(name) === "" ? "" : besides(folder, of(name)));
    if (of("landmarks") !== "" && of("spots") !== "") table.fail(line, "has landmarks and spots", "one of them");
    return {
      ...{ line, image: at("image"), z: number("z", -Infinity), umPerPixel: number("um_per_px", 0) },
      ...{ patient: of("patient"), landmarks: at("landmarks"), spots: at("spots") },
      stackUm: of("stack_um") === "" ? undefined : number("stack_um", 0),
    };
  });
  if (lines.length === 0) table.fail(1, "is all there is", "a line a section");
  const [first] = lines as [Line];
  for (const { line, patient } of lines) {
    if (patient === first.patient) continue;
    throw new DataError(
      `Cannot use ${file} as serial sections: line ${line} is of patient ${patient}, expected ${first.patient} as line ${first.line}`,
      {
        code: "patient-leak",
        hint: "A stack is of one block: nothing is carried over from one patient to another",
        context: { file, line, found: patient, expected: first.patient },
      },
    );
  }
  return lines;
}

/** How far apart sections are. @throws {DataError} If not equally far: one is missing, or the order is wrong. */
function stepOf(file: string, lines: readonly Line[]): number {
  const steps = lines.slice(1).map(({ z }, i) => z - lines[i]!.z);
  const step = Math.min(...steps);
  const at = steps.findIndex((um) => !(step > 0) || Math.abs(um / step - 1) > 0.01);
  if (at < 0) return step;
  const [a, b] = [lines[at]!, lines[at + 1]!];
  const gap = step > 0 ? Math.max(1, Math.round((b.z - a.z) / step) - 1) : 0;
  throw new DataError(
    step > 0
      ? `Cannot use ${file} as serial sections: ${
        gap > 1 ? `${gap} sections are` : "a section is"
      } missing between z ` +
        `${a.z} and ${b.z} µm (lines ${a.line} and ${b.line}), expected sections ${step} µm apart`
      : `Cannot use ${file} as serial sections: z is ${b.z} µm in line ${b.line} behind ${a.z}, expected z to rise`,
    {
      code: "volume-slices",
      hint: "Bring the section back, or give the sections on one side of the gap alone",
      context: { file, lines: [a.line, b.line], z: [a.z, b.z] },
    },
  );
}

/** Places of spots, µm on their section. */
async function spotsOf(disk: Disk, { spots, umPerPixel }: Line): Promise<PlanePoint[]> {
  const file = await H5ad.open(disk.open(spots, "read"));
  try {
    const xy = file.spatial();
    return Array.from({ length: xy.length / 2 }, (_, i) => [xy[2 * i]! * umPerPixel, xy[2 * i + 1]! * umPerPixel]);
  } finally {
    file.close();
  }
}

/** Lays the sections on the first. */
async function layOut(disk: Disk, lines: readonly Line[]): Promise<SerialSection[]> {
  const sections: SerialSection[] = [];
  // The footprint laid last, on the first section.
  let last: PlanePoint[] | undefined;
  for (const line of lines) {
    const { image, z, umPerPixel, landmarks, spots } = line;
    const facts = { image, z, depth: z - lines[0]!.z, umPerPixel };
    if (landmarks !== "") {
      const { rows: [x, y], rms } = fitLandmarks(
        readLandmarks(decodeText(readBytes(disk, landmarks), landmarks), landmarks),
        landmarks,
      );
      sections.push({ ...facts, map: [...x, ...y], laid: `by landmarks, which it misses by ${rms.toFixed(2)} µm` });
    } else if (spots === "") sections.push({ ...facts, map: [1, 0, 0, 0, 1, 0], laid: "as its picture lies" });
    else {
      const own = await spotsOf(disk, line);
      const fit = last === undefined ? { angle: 0, shift: [0, 0] as const, cost: 0 } : fitRigid(own, last);
      const [c, s] = [Math.cos(fit.angle), Math.sin(fit.angle)];
      last = own.map((place) => move(fit, place));
      const laid = last.length > 0 && sections.length > 0
        ? `by its spots, turned by ${(fit.angle * 180 / Math.PI).toFixed(1)}°, ` +
          `which lie ${Math.sqrt(fit.cost / 2).toFixed(0)} µm from those of the section before`
        : "as its picture lies";
      sections.push({ ...facts, map: [c, -s, fit.shift[0], s, c, fit.shift[1]], laid });
    }
  }
  return sections;
}

/** Where places on a section, in pixels of its picture, lie in the volume. */
export function placedOn({ map: [a, b, c, d, e, f], umPerPixel: um, depth }: SerialSection): SectionFit {
  return { rows: [[a * um, b * um, c], [d * um, e * um, f], [0, 0, depth]], residuals: [], rms: 0 };
}

/** Opens a stack. The first slice is that of the first section, at z 0. */
export async function openSerial(disk: Disk, path: string): Promise<FoundVolume> {
  const lines = linesOf(disk, path);
  const step = lines.length > 1 ? stepOf(path, lines) : 1;
  const sections = await layOut(disk, lines);
  const slides: Slide[] = [];
  const close = () => slides.forEach((slide) => slide.close());
  try {
    for (const { image } of lines) slides.push(await openSlide(randomAccess(disk.open(image, "read"))));
  } catch (error) {
    close();
    throw error;
  }
  const um = lines[0]!.stackUm ?? lines[0]!.umPerPixel;
  const { width, height } = slides[0]!.levels[0]!;
  const extent = (pixels: number) => Math.max(1, Math.floor((pixels - 1) * sections[0]!.umPerPixel / um) + 1);
  const shape: Zyx = [lines.length, extent(height), extent(width)];
  checkShape(path, "it", shape);
  return {
    ...{ name: path, format: "serial sections", shape, spacing: [step, um, um], channels: ["red", "green", "blue"] },
    ...{ dtype: "u8", chunk: [1, 256, 256], levels: [{ shape, spacing: [step, um, um] }], close },
    notes: sections.map(({ image, laid }) => `${image}: laid ${laid}`),
    serial: { patient: lines[0]!.patient, sections },
    async read(from, to): Promise<Voxels> {
      const out = new Uint8Array(boxSize(from, to) * 3);
      const size = (to[1] - from[1]) * (to[2] - from[2]) * 3;
      for (let z = from[0]; z < to[0]; z++) {
        const slice = out.subarray((z - from[0]) * size, (z - from[0] + 1) * size);
        await readSlice(slides[z]!, sections[z]!, um, [from[1], to[1], from[2], to[2]], slice);
      }
      return out;
    },
  };
}

/** Reads a part of a slice: each voxel the mean of as many samples as pixels lie in it, each between four pixels. */
async function readSlice(
  slide: Slide,
  { map, umPerPixel }: SerialSection,
  um: number,
  [top, bottom, left, right]: readonly [top: number, bottom: number, left: number, right: number],
  out: Uint8Array,
): Promise<void> {
  const back = inverseOf(map);
  const level = bestLevel(slide, um / umPerPixel);
  const { downsample, width, height } = slide.levels[level]!;
  const pixel = umPerPixel * downsample;
  const at = (y: number, x: number) => mapPoint(back, x * um, y * um).map((place) => place / pixel) as [number, number];
  const corners = [at(top - 1, left - 1), at(top - 1, right), at(bottom, left - 1), at(bottom, right)];
  const bound = (axis: 0 | 1, most: number) => {
    const values = corners.map((corner) => corner[axis]);
    return [
      Math.max(0, Math.floor(Math.min(...values)) - 1),
      Math.min(most, Math.ceil(Math.max(...values)) + 2),
    ] as const;
  };
  const [[x0, x1], [y0, y1]] = [bound(0, width), bound(1, height)];
  if (x0 >= x1 || y0 >= y1) return void out.fill(WHITE);
  const { data } = await slide.read(level, x0, y0, x1 - x0, y1 - y0);
  const part = { data, x0, y0, width: x1 - x0, height: y1 - y0 };
  const times = Math.max(1, Math.min(8, Math.round(um / pixel)));
  const sums = new Float64Array(3);
  let to = 0;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++, to += 3) {
      sums.fill(0);
      for (let n = 0; n < times * times; n++) {
        const [i, j] = [(Math.floor(n / times) + 0.5) / times - 0.5, (n % times + 0.5) / times - 0.5];
        addSample(part, at(y + i, x + j), sums);
      }
      for (let c = 0; c < 3; c++) out[to + c] = Math.round(sums[c]! / (times * times));
    }
  }
}

/** Adds the colours between four pixels; white beyond the part, which reaches to where the picture ends. */
function addSample(
  { data, x0, y0, width, height }: {
    readonly data: Uint8Array;
    readonly x0: number;
    readonly y0: number;
    readonly width: number;
    readonly height: number;
  },
  [px, py]: readonly [number, number],
  sums: Float64Array,
): void {
  const [left, above] = [Math.floor(px), Math.floor(py)];
  const [u, v] = [px - left, py - above];
  for (let corner = 0; corner < 4; corner++) {
    const weight = (corner & 1 ? u : 1 - u) * (corner & 2 ? v : 1 - v);
    if (weight === 0) continue;
    const [x, y] = [left + (corner & 1) - x0, above + (corner >> 1) - y0];
    const inside = x >= 0 && y >= 0 && x < width && y < height;
    for (let c = 0; c < 3; c++) sums[c]! += weight * (inside ? data[(y * width + x) * 3 + c]! : WHITE);
  }
}
