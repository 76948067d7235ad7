/**
 * Writes the evidence of a run into its folder, each file whole or not at all.
 *
 * @module
 */

import { ShapeError } from "../core/errors.ts";
import type { Disk } from "../io/disk.ts";
import { H5Writer } from "../io/hdf5/h5_write.ts";
import { writeH5ad } from "../io/hdf5/h5ad_write.ts";
import { encodePng } from "../io/image/png_write.ts";
import { checkRange } from "../io/random_access.ts";
import type { Matrix } from "../io/sparse.ts";
import type { GalleryFile, MapsFile } from "./evidence_schema.ts";
import {
  EVIDENCE,
  EVIDENCE_SCHEMA,
  type Gallery,
  type GalleryPatch,
  type MetricRow,
  type RunEvidence,
  type SampleMap,
} from "./run_evidence.ts";

/** The folder of a run. */
export interface RunFolder {
  readonly path: string;
  readonly disk: Disk;
  /** Makes a folder and its parents, if need be. */
  makeFolder(path: string): void;
}

/**
 * Writes the parts of the evidence that are given; others stay as they are.
 *
 * @returns Paths below the folder of the files that were written.
 * @throws {ShapeError} If a map's extents disagree.
 */
export async function writeEvidence(folder: RunFolder, evidence: Partial<RunEvidence>): Promise<string[]> {
  const files: string[] = [];
  const write = (path: string, content: Uint8Array | string): void => {
    folder.makeFolder(`${folder.path}/${path}`.replace(/\/[^/]*$/, ""));
    folder.disk.write(`${folder.path}/${path}`, content);
    files.push(path);
  };
  const { config, metrics, facts, results, embedding, experts, probes, volumes } = evidence;
  if (config !== undefined) write(EVIDENCE.config, config);
  if (metrics !== undefined) write(EVIDENCE.metrics, metricLines(metrics));
  if (facts !== undefined) write(EVIDENCE.facts, json(facts));
  if (results !== undefined) write(EVIDENCE.results, json(results));
  if (embedding !== undefined) write(EVIDENCE.embedding, json(embedding, false));
  if (experts !== undefined) write(EVIDENCE.experts, json(experts, false));
  if (probes !== undefined) write(EVIDENCE.probes, json(probes, false));
  if (volumes !== undefined) write(EVIDENCE.volumes, json(volumes, false));
  if (evidence.maps !== undefined) {
    files.push(...await writeMaps(folder, evidence.maps, write));
  }
  if (evidence.gallery !== undefined) writeGallery(evidence.gallery, write);
  return files;
}

type Write = (path: string, content: Uint8Array | string) => void;

/** Metric rows as JSON lines. */
export function metricLines(rows: readonly MetricRow[]): string {
  return rows.map((row) => `${JSON.stringify(row, finite)}\n`).join("");
}

/** JSON of evidence; numbers that are not finite become null. */
function json(value: unknown, indent = true): string {
  return `${JSON.stringify(value, finite, indent ? 2 : undefined)}\n`;
}

function finite(_: string, value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>);
  return typeof value === "number" && !Number.isFinite(value) ? null : value;
}

/** File names of untrusted identifiers: plain on every system, no two alike. */
export class FileNames {
  readonly #taken = new Set<string>();

  /** A name of its own for `id`, without ending. */
  name(id: string): string {
    const plain = id.replace(/[^\w.-]/g, "_").replace(/^\.+/, "_").slice(0, 100) || "_";
    for (let n = 1;; n++) {
      const name = n === 1 ? plain : `${plain}~${n}`;
      if (this.#taken.has(name.toLowerCase())) continue;
      this.#taken.add(name.toLowerCase());
      return name;
    }
  }
}

async function writeMaps(folder: RunFolder, maps: readonly SampleMap[], write: Write): Promise<string[]> {
  const begin = await H5Writer.prepare();
  const names = new FileNames();
  const files: string[] = [];
  const samples: MapsFile["samples"][number][] = [];
  for (const map of maps) {
    checkMap(map);
    const { sample, donor, predicted_by, unit, spot_diameter, pixel_size_um, thumbnail } = map;
    const name = names.name(sample);
    const predictions = `${name}.h5ad`;
    const path = `${EVIDENCE.predictions}/${predictions}`;
    folder.makeFolder(`${folder.path}/${EVIDENCE.predictions}`);
    folder.disk.writeAnywhere(`${folder.path}/${path}`, (file) => {
      const h5 = begin(file);
      writePredictions(h5, map);
      h5.close();
    });
    files.push(path);
    if (thumbnail !== undefined) write(`${EVIDENCE.thumbnails}/${name}.png`, encodePng(thumbnail.image));
    samples.push({
      sample,
      predicted_by,
      unit,
      predictions,
      ...(donor === undefined ? {} : { donor }),
      ...(spot_diameter === undefined ? {} : { spot_diameter }),
      ...(pixel_size_um === undefined ? {} : { pixel_size_um }),
      ...(thumbnail === undefined ? {} : { thumbnail: { file: `${name}.png`, scale: thumbnail.scale } }),
    });
  }
  write(EVIDENCE.maps, json({ schema: EVIDENCE_SCHEMA, samples } satisfies MapsFile));
  return files;
}

function checkMap({ sample, barcodes, genes, measured, predicted, spatial }: SampleMap): void {
  const [rows, columns] = [barcodes.length, genes.length];
  for (
    const [what, found, wanted] of [
      ["measured", measured.length, rows * columns],
      ["predicted", predicted.length, rows * columns],
      ["spatial", spatial.length, rows * 2],
    ] as const
  ) {
    if (found === wanted) continue;
    throw new ShapeError(`Cannot write the map of ${sample}: ${found} numbers of ${what}, ${wanted} are wanted`, {
      context: { sample, tensor: what, given: found, wanted },
    });
  }
}

/** Predictions as an h5ad: `X` predicted, `layers/measured`, `obsm/spatial`. */
function writePredictions(h5: H5Writer, map: SampleMap): void {
  const { barcodes, genes, unit, predicted_by, sample } = map;
  writeH5ad(h5, {
    obs: { index: barcodes },
    var: { index: genes },
    x: fullRows(`${sample}: predicted`, genes.length, map.predicted),
    layers: { measured: fullRows(`${sample}: measured`, genes.length, map.measured) },
    obsm: { spatial: { shape: [barcodes.length, 2], values: map.spatial } },
    uns: { unit, predicted_by },
  }, { dense: true, gzip: 4 });
}

/** A matrix of full rows. */
function fullRows(name: string, columns: number, data: Float32Array): Matrix {
  const rows = columns === 0 ? 0 : data.length / columns;
  return {
    name,
    rows,
    columns,
    layout: "dense",
    stored: data.length,
    read(from, to) {
      checkRange(name, rows, from, to - from);
      return {
        from,
        indptr: Uint32Array.from({ length: to - from + 1 }, (_, i) => i * columns),
        indices: Uint32Array.from({ length: (to - from) * columns }, (_, i) => i % columns),
        values: data.subarray(from * columns, to * columns),
      };
    },
  };
}

function writeGallery({ ranked_by, chosen, queries }: Gallery, write: Write): void {
  const names = new FileNames();
  const known = new Map<string, string>();
  const entry = (patch: GalleryPatch) => {
    const { sample, barcode } = patch;
    const key = JSON.stringify([sample, barcode]);
    let file = known.get(key);
    if (file === undefined) {
      file = `${names.name(`${sample}_${barcode}`)}.png`;
      known.set(key, file);
      write(`${EVIDENCE.patches}/${file}`, encodePng(patch.image));
    }
    return { sample, barcode, file };
  };
  const content: GalleryFile = {
    schema: EVIDENCE_SCHEMA,
    ranked_by,
    chosen,
    queries: queries.map((query) => ({
      ...entry(query),
      top_genes: query.top_genes,
      hits: query.hits.map((hit) => ({ ...entry(hit), score: hit.score, correct: hit.correct })),
      rank: query.rank,
      gallery: query.gallery,
    })),
  };
  write(EVIDENCE.gallery, json(content));
}
