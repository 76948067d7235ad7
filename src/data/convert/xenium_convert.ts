/**
 * A section of Xenium to HEST's layout: transcripts pooled to squares, and beside them cells with their counts and the outlines
 * of cells and nuclei on the H&E image.
 *
 * @module
 */

import { mapPoint } from "../../core/affine.ts";
import type { Disk } from "../../io/disk.ts";
import { H5Writer } from "../../io/hdf5/h5_write.ts";
import { writeH5ad } from "../../io/hdf5/h5ad_write.ts";
import type { RandomAccess } from "../../io/random_access.ts";
import { takeRows } from "../../io/sparse.ts";
import { type FeatureCounts, GENES } from "../../io/tenx_h5.ts";
import { openTranscripts, readCells, readOutlines, type XeniumExperiment } from "../../io/xenium.ts";
import type { HeAlignment } from "../../io/xenium_alignment.ts";
import { DataError } from "../../core/errors.ts";
import { makeUnique } from "../genes/genes.ts";
import { openSlide } from "../image/slide.ts";
import { type Converted, type ConvertOptions, writeSample } from "./convert_sample.ts";
import { poolTranscripts } from "./xenium.ts";

/** What a section is read from. */
export interface XeniumSources {
  readonly experiment: XeniumExperiment;
  readonly alignment: HeAlignment;
  readonly transcripts: RandomAccess;
  /** The H&E image. */
  readonly image: RandomAccess;
  /** Counts of cells, and what is known of these. */
  readonly counts: FeatureCounts | undefined;
  readonly cells: RandomAccess | undefined;
  readonly outlines: { readonly cell: RandomAccess | undefined; readonly nucleus: RandomAccess | undefined };
}

/** What became of a section. */
export interface ConvertedXenium extends Converted {
  /** Cells with counts and a place. */
  readonly cells: number;
  /** Outlines that were written. */
  readonly outlines: { readonly cell: number; readonly nucleus: number };
  /** How far each landmark lies from where the map puts it, µm; null where a matrix was given. */
  readonly landmarks: readonly number[] | null;
}

/** Paths of what is written beside HEST's own files. */
export function xeniumPaths(id: string): Readonly<Record<"cells" | "cell" | "nucleus", string>> {
  return {
    cells: `cells/${id}.h5ad`,
    cell: `xenium_seg/${id}_xenium_cell_seg.geojson`,
    nucleus: `xenium_seg/${id}_xenium_nucleus_seg.geojson`,
  };
}

/**
 * Converts a section. The folders must be there.
 *
 * @param options `quality`: least of a transcript that counts.
 * @throws {FormatError} If a file is damaged.
 * @throws {DataError} If the files do not belong together, or nothing is left of them.
 */
export async function convertXenium(
  disk: Disk,
  out: string,
  sources: XeniumSources,
  options: ConvertOptions & { readonly quality: number },
): Promise<ConvertedXenium> {
  const { experiment: { pixelSize }, alignment, counts } = sources;
  const { id, pitch, quality, onProgress } = options;
  const slide = await openSlide(sources.image);
  const { width, height } = slide.levels[0]!;
  const sample = await poolTranscripts({
    sample: id,
    transcripts: await openTranscripts(sources.transcripts),
    panel: counts,
    pixelSize,
    alignment,
    image: { width, height },
    side: pitch,
    quality,
    onRows: (done, total) => onProgress?.(`${id}: transcripts`, done, total),
  });
  const toHe = (x: number, y: number) => mapPoint(alignment.toHe, x / pixelSize, y / pixelSize);
  const paths = xeniumPaths(id);
  let cells = 0;
  const outlines = { cell: 0, nucleus: 0 };
  const beside = async (to: Disk) => {
    cells = await writeCells(to, `${out}/${paths.cells}`, id, sources, toHe);
    for (const kind of ["cell", "nucleus"] as const) {
      const source = sources.outlines[kind];
      if (source !== undefined) outlines[kind] = await writeOutlines(to, `${out}/${paths[kind]}`, source, toHe);
    }
  };
  const converted = await writeSample(disk, out, slide, sample, { ...options, beside });
  const landmarks = alignment.landmarks?.map((away) => away * pixelSize) ?? null;
  return { ...converted, cells, outlines, landmarks };
}

type ToHe = (x: number, y: number) => [x: number, y: number];

/** Writes cells with their counts. @returns How many. */
async function writeCells(
  disk: Disk,
  path: string,
  id: string,
  { counts, cells: source, experiment }: XeniumSources,
  toHe: ToHe,
): Promise<number> {
  if (counts === undefined || source === undefined) return 0;
  const cells = await readCells(source);
  const place = new Map(cells.ids.map((cell, i) => [cell, i]));
  const barcodes = [...counts.barcodes];
  const rows = [...barcodes.keys()].filter((row) => place.has(barcodes[row]!));
  if (rows.length === 0 && barcodes.length > 0) {
    const [a, b] = [barcodes[0], cells.ids[0] ?? "none"];
    throw new DataError(`Cannot convert ${id}: no cell has counts (${a}, …) and a place (${b}, …), one wanted`, {
      code: "cells",
      hint: "Check that both files are of one bundle",
      context: { sample: id, counted: barcodes.length, placed: cells.ids.length },
    });
  }
  const genes = [...counts.names.keys()].filter((j) => counts.types[j] === GENES);
  const map = new Int32Array(counts.names.length).fill(-1);
  genes.forEach((j, to) => map[j] = to);
  const at = rows.map((row) => place.get(barcodes[row]!)!);
  const column = (values: Float64Array) => Float64Array.from(at, (i) => values[i]!);
  const centre = (k: number) => Float64Array.from(at, (i) => cells.places[2 * i + k]!);
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    const spatial = Float64Array.from(at.flatMap((i) => toHe(cells.places[2 * i]!, cells.places[2 * i + 1]!)));
    writeH5ad(h5, {
      obs: {
        index: rows.map((row) => barcodes[row]!),
        columns: {
          x_centroid: centre(0),
          y_centroid: centre(1),
          ...Object.fromEntries(Object.entries(cells.columns).map(([name, values]) => [name, column(values)])),
        },
      },
      var: {
        index: makeUnique(genes.map((j) => counts.names[j]!)),
        columns: { gene_ids: genes.map((j) => counts.ids[j]!) },
      },
      x: takeRows(counts.counts, rows, { map, width: genes.length }),
      obsm: { spatial: { shape: [rows.length, 2], values: spatial } },
      uns: { xenium: { software: experiment.software ?? "unknown", pixel_size_um: experiment.pixelSize } },
    });
    h5.close();
  });
  return rows.length;
}

/** Outlines that are put together before they are written. */
const BATCH = 2000;

/** Writes outlines in pixels of the H&E, a feature each. @returns How many. */
async function writeOutlines(disk: Disk, path: string, source: RandomAccess, toHe: ToHe): Promise<number> {
  const encoder = new TextEncoder();
  const hundredths = (value: number) => Math.round(100 * value) / 100;
  let count = 0;
  await disk.writeSlowly(path, async (file) => {
    let at = 0;
    let waiting: string[] = [];
    const write = (text: string) => {
      const bytes = encoder.encode(text);
      file.write(at, bytes);
      at += bytes.length;
    };
    write('{"type":"FeatureCollection","features":[');
    for await (const { cell, ring } of readOutlines(source)) {
      const points = Array.from(
        { length: ring.length / 2 },
        (_, i) => toHe(ring[2 * i]!, ring[2 * i + 1]!).map(hundredths),
      );
      const [first, last] = [points[0]!, points.at(-1)!];
      if (first[0] !== last[0] || first[1] !== last[1]) points.push([...first]);
      const geometry = { type: "Polygon", coordinates: [points] };
      waiting.push(JSON.stringify({ type: "Feature", properties: { cell_id: cell }, geometry }));
      if (waiting.length === BATCH) {
        write(`${count > 0 ? "," : ""}\n${waiting.join(",\n")}`);
        count += waiting.length;
        waiting = [];
      }
    }
    if (waiting.length > 0) write(`${count > 0 ? "," : ""}\n${waiting.join(",\n")}`);
    count += waiting.length;
    write("\n]}\n");
  });
  return count;
}
