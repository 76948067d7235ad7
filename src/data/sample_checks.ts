/**
 * What is known to go wrong with published samples, looked for in one sample's table, patches and metadata: sizes and
 * distances that disagree, slides too coarse, counts that may have wrapped, genes under several names.
 *
 * Source: issues of github.com/mahmoodlab/HEST, by number where a check is for one.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import type { Metadata } from "../io/metadata.ts";
import type { Patches } from "../io/patches.ts";
import { centre } from "./coordinates.ts";
import type { GeneReport } from "./genes/genes.ts";
import { checkPixelSizes, nearestSpot } from "./image/pixel_size.ts";
import type { SampleTable } from "./sample.ts";
import { type Neighbours, slideNeighbours } from "./genes/smooth.ts";

/** µm a pixel of patches and beyond which HEST releases no sample. */
const FINE = 0.5;
const COARSEST = 1.15;
/** Prefixes of HEST's own samples. */
const PUBLISHED = /^(?:TENX|NCBI|ZEN|MEND|INT|SPA|MISC)\d+$/;
/** Side of the patches of HEST before August 2024 (#36). */
const OLD_SIDE = 256;

/** A sample as it was read, before it is joined. */
export interface CheckedSample {
  readonly id: string;
  readonly table: SampleTable;
  readonly metadata: Metadata | undefined;
  readonly patches: Pick<Patches, "name" | "generation" | "count" | "width" | "pixelSize" | "slidePixelSize">;
}

/** What is let pass. */
export interface CheckOptions {
  /** Takes slides coarser than 1.15 µm a pixel. */
  readonly allowCoarse?: boolean;
}

/**
 * Looks at a sample.
 *
 * @returns What the user should know, in words.
 * @throws {DataError} If the slide is too coarse (`too-coarse`), or patches are of the size HEST replaced (`patch-size`).
 */
export function checkSample(sample: CheckedSample, options: CheckOptions = {}): string[] {
  return [
    ...checkPatches(sample),
    ...checkSizes(sample, options),
    ...checkHd(sample),
    ...checkShare(sample),
  ];
}

function checkPatches({ id, patches }: CheckedSample): string[] {
  if (patches.width !== OLD_SIDE || patches.generation === "other") return [];
  if (patches.generation === "current") {
    return PUBLISHED.test(id) ? [`${id}: patches of 256 pixels; HEST's have 224 since August 2024 (HEST #36)`] : [];
  }
  throw new DataError(`Cannot use ${patches.name}: patches of 256 pixels, 224 wanted`, {
    code: "patch-size",
    hint: "HEST replaced such files in August 2024: fetch it again",
    context: { sample: id, file: patches.name, found: 256, expected: 224 },
  });
}

function checkSizes({ id, table, metadata, patches }: CheckedSample, options: CheckOptions): string[] {
  const size = metadata?.number("pixel_size_um_estimated") ?? patches.slidePixelSize;
  const warnings: string[] = [];
  if (size !== undefined && size > COARSEST && options.allowCoarse !== true) {
    throw new DataError(
      `Cannot use ${id}: its slide has ${size.toPrecision(4)} µm a pixel, at most ${COARSEST} wanted`,
      {
        code: "too-coarse",
        hint:
          "Leave it out (exclude_samples), or take coarse slides with allow_coarse=true of train: their patches are blurred",
        context: { sample: id, pixelSize: size, most: COARSEST },
      },
    );
  }
  const fine = patches.pixelSize ?? FINE;
  if (size !== undefined && size > 1.02 * fine) {
    const given = Number(fine.toPrecision(4));
    warnings.push(`${id}: patches are enlarged: the slide has ${size.toPrecision(4)} µm a pixel, patches ${given}`);
  }
  const own = patches.slidePixelSize;
  if (size !== undefined && own !== undefined && Math.abs(own / size - 1) > 0.02) {
    const percent = (100 * Math.abs(own / size - 1)).toFixed(1);
    const text = `${own.toPrecision(4)} and ${size.toPrecision(4)} µm differ by ${percent} %`;
    warnings.push(`${id}: pixel size by the patches and by the metadata: ${text}`);
  }
  return [...warnings, ...checkLattice({ id, table, metadata })];
}

/** Pixel size and pitch by the spots beside what the metadata say. */
export function checkLattice(
  { id, table, metadata }: Pick<CheckedSample, "id" | "metadata"> & {
    readonly table: Pick<SampleTable, "spatial" | "array">;
  },
): string[] {
  const { spatial, array } = table;
  const pitch = metadata?.number("inter_spot_dist");
  if (spatial === undefined || pitch === undefined) return [];
  const size = metadata!.number("pixel_size_um_estimated");
  const hd = isHd(array.technology);
  // Bins of HD and pseudo-spots of other technologies lie on no array that tells distances: only their pitch is looked at.
  const lattice = /^visium$/i.test(array.technology) ? "hex" : "square";
  const placed = !hd && /visium|spatial transcriptomics/i.test(array.technology) && allFinite(array.rows);
  // Of HD the metadata give the bins' distance, not that of the squares they were pooled to.
  if (hd) return [];
  const [rows, columns] = placed ? [array.rows, array.columns] : [[], []];
  return [...checkPixelSizes(id, { rows, columns, spatial, pitch, lattice }, size).warnings];
}

function allFinite(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

function isHd(technology: string): boolean {
  return /^visium hd$/i.test(technology);
}

function checkHd({ id, table }: CheckedSample): string[] {
  if (!isHd(table.array.technology) || !PUBLISHED.test(id)) return [];
  return [`${id}: counts of Visium HD in HEST up to 1.1.0 may have been lost while bins were pooled (HEST #143)`];
}

function checkShare({ id, table, patches }: CheckedSample): string[] {
  const spots = table.counts.spots.length;
  if (2 * patches.count >= spots) return [];
  return [`${id}: ${patches.count} of ${spots} spots have a patch, less than half`];
}

/** What preparing the genes did, as far as the user should know. */
export function geneWarnings(sample: string, { unmapped, duplicates, controls }: GeneReport): string[] {
  const some = (names: readonly string[]) => names.slice(0, 3).join(", ") + (names.length > 3 ? ", …" : "");
  const lines: [readonly string[], string][] = [
    [unmapped, "Ensembl identifiers have no symbol"],
    [duplicates, "gene names come more than once"],
    [controls, "control probes were dropped"],
  ];
  return lines.flatMap(([names, text]) =>
    names.length > 0 ? [`${sample}: ${names.length} ${text} (${some(names)})`] : []
  );
}

/** What harms most comes first: wrong pairs and counts, then wrong scales and genes, then what is only worth knowing. */
const HARM: readonly RegExp[] = [
  /misalign|pixels from their spots|nuclei|NaN, infinite or negative|wrapped|lost while/,
  /differ by|off their lattice|stretched|genes of the vocabulary|less than half|without expression/,
];

/**
 * Warnings of many samples, what harms most first. Each text is said once with the samples it is of, and with the range of
 * its numbers where only these differ: `A, B and 6 more: … 0.61 to 0.69 µm …`.
 */
export function gatherWarnings(warnings: readonly string[]): string[] {
  const split = warnings.map((warning) => {
    const [, id, text = warning] = /^([A-Za-z0-9-]+): (.*)$/s.exec(warning) ?? [];
    return { id, text, kind: id === undefined ? warning : text.replace(NUMBER, "#") };
  });
  const lines = [...Map.groupBy(split, ({ kind }) => kind).values()].map((group) => {
    const [{ id, text }] = group as [typeof group[number]];
    if (id === undefined) return text;
    const ids = [...new Set(group.map((one) => one.id))];
    const rest = ids.length > 2 ? ` and ${ids.length - 2} more` : "";
    return `${ids.slice(0, 2).join(", ")}${rest}: ${ranges(group.map((one) => one.text))}`;
  });
  const harm = (line: string) => HARM.findIndex((pattern) => pattern.test(line)) >>> 0;
  return lines.map((line, i) => ({ line, i })).sort((a, b) => harm(a.line) - harm(b.line) || a.i - b.i)
    .map(({ line }) => line);
}

/** Whether a line tells of what sound data have, too: worth knowing, and no warning. */
export function isNote(line: string): boolean {
  return /control probes were dropped \(|patches are enlarged: /.test(line);
}

/** A number that stands alone; digits within names are part of them. */
const NUMBER = /(?<![\w.#(/-])\d+(?:\.\d+)?(?![\w)-]|\.\d)/g;

/** Texts that differ in their numbers as one. */
function ranges(texts: readonly string[]): string {
  const numbers = texts.map((text) => text.match(NUMBER) ?? []);
  let at = 0;
  return texts[0]!.replace(NUMBER, () => {
    const all = numbers.map((list) => list[at]!).sort((a, b) => Number(a) - Number(b));
    at++;
    return all[0] === all.at(-1) ? all[0]! : `${all[0]} to ${all.at(-1)}`;
  });
}

/**
 * Neighbours of a sample whose array indices mean nothing, by place on the slide; undefined where the array tells.
 *
 * @param rows Spots of the table that count; all if not given.
 */
export function placedNeighbours({ array, spatial }: SampleTable, rows?: ArrayLike<number>): Neighbours | undefined {
  if (!isHd(array.technology) || spatial === undefined) return undefined;
  const { xy } = spatial;
  const chosen = rows === undefined
    ? xy
    : Float64Array.from({ length: 2 * rows.length }, (_, k) => xy[2 * rows[k >> 1]! + (k & 1)]!);
  const pitch = nearestSpot(centre(chosen));
  return Number.isFinite(pitch) ? slideNeighbours(centre(chosen), pitch) : undefined;
}
