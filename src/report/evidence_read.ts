/**
 * Reads the evidence of a run from its folder. The configuration and the metrics must be there; of every other part that
 * is missing or damaged, the result says why.
 *
 * @module
 */

import { DataError, FormatError } from "../core/errors.ts";
import type { Disk } from "../io/disk.ts";
import { H5ad } from "../io/hdf5/h5ad.ts";
import { decodePng } from "../io/image/png.ts";
import { pngToRgb } from "../io/image/raster.ts";
import { parseJson } from "../io/json.ts";
import type { RgbImage } from "../io/image/rgb_image.ts";
import { checkBytes, checkFile, MANIFEST, type Manifest, readManifest } from "../io/manifest.ts";
import { isPlainName, missingFile } from "../io/random_access.ts";
import { toDense } from "../io/sparse.ts";
import { expertsEvidence, unevenExperts } from "./experts_schema.ts";
import { type AttentionEvidence, attentionFile, attentionImages } from "./attention_evidence.ts";
import { cohortEvidence } from "./cohort_evidence.ts";
import { probesEvidence, unevenProbes } from "./probes_schema.ts";
import { unevenVolumes, volumesEvidence } from "./volumes_evidence.ts";
import { embeddingMap, galleryFile, mapsFile, results, runFacts } from "./evidence_schema.ts";
import {
  type EmbeddingMap,
  EVIDENCE,
  type Gallery,
  type GalleryPatch,
  type MetricRow,
  type OptionalEvidence,
  type Results,
  type RunEvidence,
  type SampleMap,
} from "./run_evidence.ts";
import { type Check, object, optional, text } from "./schema.ts";
import type { RunFolder } from "./evidence_write.ts";

/** Most bytes of a file that is read whole. */
const MOST_BYTES = 1 << 28;
/** Most elements of a section's predictions. */
const MOST_ELEMENTS = 1 << 27;

/** Evidence as read, with what is missing of it. */
export interface ReadEvidence extends RunEvidence {
  /** Why a part is missing, by its name. */
  readonly missing: Readonly<Partial<Record<keyof OptionalEvidence, string>>>;
  /** Errors of parts that are there but damaged, and of lines that were passed over. */
  readonly errors: readonly Error[];
  /** What was read without a checksum to compare it with. */
  readonly unchecked: readonly string[];
}

/**
 * Reads a run's evidence.
 *
 * @throws {DataError} If the folder, the configuration or the metrics are missing.
 * @throws {FormatError | DataError} If the configuration or the metrics are damaged.
 */
export async function readEvidence({ path, disk }: Pick<RunFolder, "path" | "disk">): Promise<ReadEvidence> {
  const run = opened(path, disk);
  const config = decodeText(need(run, EVIDENCE.config), `${run.path}/${EVIDENCE.config}`);
  const errors: Error[] = [];
  const metrics = readMetrics(need(run, EVIDENCE.metrics), `${run.path}/${EVIDENCE.metrics}`, errors);
  const timing = readBytes(run, EVIDENCE.timing);
  if (timing !== undefined) metrics.push(...readMetrics(timing, `${run.path}/${EVIDENCE.timing}`, errors));
  const missing: Partial<Record<keyof OptionalEvidence, string>> = {};
  const parts: { -readonly [K in keyof OptionalEvidence]: OptionalEvidence[K] } = {};
  const part = async <K extends keyof OptionalEvidence>(
    key: K,
    path: string,
    read: (bytes: Uint8Array, name: string) => NonNullable<OptionalEvidence[K]> | Promise<OptionalEvidence[K]>,
  ): Promise<void> => {
    try {
      const bytes = readBytes(run, path);
      if (bytes === undefined) missing[key] = `${path} is not in the run's folder`;
      else parts[key] = await read(bytes, `${run.path}/${path}`);
    } catch (error) {
      if (!(error instanceof DataError || error instanceof FormatError)) throw error;
      missing[key] = error.message;
      errors.push(error);
    }
  };
  await part("facts", EVIDENCE.facts, (bytes, name) => parseChecked(bytes, name, runFacts));
  await part("results", EVIDENCE.results, (bytes, name) => checkResults(parseChecked(bytes, name, results), name));
  await part("maps", EVIDENCE.maps, (bytes, name) => readMaps(run, bytes, name));
  await part("gallery", EVIDENCE.gallery, (bytes, name) => readGallery(run, bytes, name));
  await part("embedding", EVIDENCE.embedding, readEmbedding);
  // Few methods have any: a run without lacks nothing.
  const there = (file: string) => disk.look(`${run.path}/${file}`) !== undefined;
  const even = async <K extends "experts" | "probes" | "volumes">(
    key: K,
    check: Check<NonNullable<OptionalEvidence[K]>>,
    uneven: (found: NonNullable<OptionalEvidence[K]>) => readonly [string, string, string] | undefined,
  ) => {
    if (!there(EVIDENCE[key])) return;
    await part(key, EVIDENCE[key], (bytes, name) => {
      const found = parseChecked(bytes, name, check);
      const [path, given, expected] = uneven(found) ?? [];
      if (path !== undefined) throw wrong(name, path, given!, expected!);
      return found;
    });
  };
  await even("experts", expertsEvidence, unevenExperts);
  await even("probes", probesEvidence, unevenProbes);
  await even("volumes", volumesEvidence, unevenVolumes);
  if (there(EVIDENCE.attentionCases)) {
    await part("attention", EVIDENCE.attentionCases, (bytes, name) => readAttention(run, bytes, name));
  }
  if (there(EVIDENCE.cohort)) {
    await part("cohort", EVIDENCE.cohort, (bytes, name) => parseChecked(bytes, name, cohortEvidence));
  }
  return { config, metrics, ...parts as OptionalEvidence, missing, errors, unchecked: [...run.unchecked] };
}

/** What to give instead of what is no run. */
const GIVE = "Give the folder that deno task train wrote (its --out)";

/** A run's folder with what tells whether its files are as they were written. */
interface OpenedFolder extends Pick<RunFolder, "path" | "disk"> {
  readonly manifest: Manifest | undefined;
  readonly unchecked: Set<string>;
}

function opened(path: string, disk: Disk): OpenedFolder {
  const entry = disk.look(path);
  if (entry?.kind !== "folder") {
    const found = entry === undefined ? "there is no such folder" : "it is a file";
    throw new DataError(`Cannot report on ${path}: ${found}, the folder of a run is wanted`, {
      code: "file-missing",
      hint: GIVE,
      context: { file: path },
    });
  }
  const manifest = readManifest(disk, path);
  const unchecked = new Set(manifest ? [] : [`all files: the run has no ${MANIFEST} of this program`]);
  return { path, disk, manifest, unchecked };
}

function need(run: OpenedFolder, file: string): Uint8Array {
  const { path } = run;
  const bytes = readBytes(run, file);
  if (bytes !== undefined) return bytes;
  throw new DataError(`Cannot report on ${path}: it has no ${file}, the folder of a run is wanted`, {
    code: "file-missing",
    hint: GIVE,
    context: { file: `${path}/${file}` },
  });
}

function readBytes(run: OpenedFolder, below: string): Uint8Array<ArrayBuffer> | undefined {
  const path = `${run.path}/${below}`;
  const { disk, manifest } = run;
  const entry = disk.look(path);
  if (entry?.kind !== "file") return undefined;
  if (entry.size > MOST_BYTES) {
    throw new DataError(`Cannot read ${path}: ${entry.size} bytes, at most ${MOST_BYTES}`, {
      context: { file: path, given: entry.size, max: MOST_BYTES },
    });
  }
  const file = disk.open(path, "read");
  try {
    const whole = new Uint8Array(entry.size);
    const bytes = whole.subarray(0, file.read(0, whole));
    noteTail(run, below, checkBytes(manifest, run.path, below, bytes));
    return bytes;
  } finally {
    file.close();
  }
}

/** Says what no checksum covers: in a run under way, what came after its last checkpoint. */
function noteTail({ manifest, unchecked }: OpenedFolder, below: string, bytes: number): void {
  if (!manifest || bytes === 0) return;
  unchecked.add(
    manifest.complete || !manifest.files[below]
      ? `${below}: it has no checksum`
      : `${below}: the last ${bytes} bytes, written after the last checkpoint`,
  );
}

function decodeText(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw wrong(name, "", "bytes that are no UTF-8", "text", cause);
  }
}

function wrong(name: string, path: string, found: string, expected: string, cause?: unknown): FormatError {
  return new FormatError(`Cannot read ${name}${path && `:${path}`}: ${found}, expected ${expected}`, {
    context: { file: name, path, found, expected },
    cause,
  });
}

function parse(bytes: Uint8Array, name: string): unknown {
  return parseJson(bytes, (offset, found, expected) => wrong(name, "", `byte ${offset} ${found}`, expected));
}

/** JSON that is as its check wants it. @throws {FormatError} Naming the place, where it is not. */
export function parseChecked<T>(bytes: Uint8Array, name: string, check: Check<T>): T {
  return check(parse(bytes, name), {
    path: "",
    fail: (path, found, expected) => {
      throw wrong(name, path, found, expected);
    },
  });
}

const knownMetrics = object<{ split?: string }>({ split: optional(text) });

/** Lines of `metrics.jsonl`. A last line that was cut off, as by a kill, is passed over. */
export function readMetrics(bytes: Uint8Array, name: string, errors: Error[]): MetricRow[] {
  const rows: MetricRow[] = [];
  const lines = decodeText(bytes, name).split("\n");
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const where = `${name}, line ${i + 1}`;
    try {
      rows.push(metricRow(new TextEncoder().encode(line), where));
    } catch (error) {
      if (i < lines.length - 1) throw error;
      errors.push(error as Error);
    }
  }
  return rows;
}

function metricRow(bytes: Uint8Array, name: string): MetricRow {
  const row = parse(bytes, name);
  parseChecked(bytes, name, knownMetrics);
  for (const [key, value] of Object.entries(row as MetricRow)) {
    if (value !== null && typeof value === "object") throw wrong(name, key, "a list or object", "a number or text");
  }
  const { step } = row as MetricRow;
  if (!Number.isSafeInteger(step) || step < 0) throw wrong(name, "step", String(step), "a whole number");
  return row as MetricRow;
}

function checkResults(found: Results, name: string): Results {
  const ids = new Set<string>();
  for (const [i, { id, probe, retrieval }] of found.encoders.entries()) {
    if (ids.has(id)) throw wrong(name, `encoders[${i}].id`, `${id} again`, "every encoder once");
    ids.add(id);
    for (const [j, { k, value }] of (retrieval ?? []).flatMap(({ recall }) => [...recall]).entries()) {
      const fits = value === null || (value >= 0 && value <= 1);
      if (!fits) throw wrong(name, `encoders[${i}].retrieval`, `${value} at ${k} (entry ${j})`, "0 to 1");
    }
    for (const [j, { gene, pearson }] of (probe?.genes ?? []).entries()) {
      const fits = pearson === null || Math.abs(pearson) <= 1.001;
      if (!fits) throw wrong(name, `encoders[${i}].probe.genes[${j}].pearson`, `${pearson} of ${gene}`, "-1 to 1");
    }
  }
  return found;
}

function readEmbedding(bytes: Uint8Array, name: string): EmbeddingMap {
  const map = parseChecked(bytes, name, embeddingMap);
  const points = map.sample_index.length;
  const bad = map.sample_index.findIndex((index) => index >= map.samples.length);
  if (bad >= 0) {
    throw wrong(name, `sample_index[${bad}]`, String(map.sample_index[bad]), `below ${map.samples.length}`);
  }
  const lengths = [
    ...map.panels.flatMap(({ x, y }, i) => [[`panels[${i}].x`, x.length], [`panels[${i}].y`, y.length]] as const),
    ...(map.genes ?? []).map(({ values }, i) => [`genes[${i}].values`, values.length] as const),
  ];
  for (const [path, length] of lengths) {
    if (length !== points) throw wrong(name, path, `${length} numbers`, `${points}, as sample_index has`);
  }
  return map;
}

async function readMaps(run: OpenedFolder, bytes: Uint8Array, name: string): Promise<SampleMap[]> {
  const maps: SampleMap[] = [];
  for (const { predictions, thumbnail, ...entry } of parseChecked(bytes, name, mapsFile).samples) {
    if (!isPlainName(predictions)) throw missingFile(`${run.path}/${EVIDENCE.predictions}`, predictions);
    const image = thumbnail && readImage(run, EVIDENCE.thumbnails, thumbnail.file);
    maps.push({
      ...entry,
      ...await readPredictions(run, `${EVIDENCE.predictions}/${predictions}`),
      ...(image === undefined ? {} : { thumbnail: { image, scale: thumbnail!.scale } }),
    });
  }
  return maps;
}

/** Numbers of a section's `.h5ad`. */
async function readPredictions(
  run: OpenedFolder,
  below: string,
): Promise<Pick<SampleMap, "barcodes" | "genes" | "measured" | "predicted" | "spatial">> {
  const { disk } = run;
  const path = `${run.path}/${below}`;
  noteTail(run, below, checkFile(disk, run.manifest, run.path, below));
  using file = await H5ad.open(disk.open(path, "read"));
  const [rows, genes] = [file.obs.index.length, file.var.index];
  if (rows * genes.length > MOST_ELEMENTS) {
    throw new DataError(
      `Cannot read ${path}: ${rows} spots of ${genes.length} genes, at most ${MOST_ELEMENTS} numbers`,
    );
  }
  const measured = file.layer("measured");
  if (measured === undefined) {
    throw new DataError(
      `Cannot read ${path}: it has no layer "measured", predictions beside what was measured wanted`,
      {
        context: { file: path, path: "/layers/measured" },
      },
    );
  }
  return {
    barcodes: file.obs.index,
    genes,
    predicted: toDense(file.x.read(0, rows), genes.length),
    measured: toDense(measured.read(0, rows), genes.length),
    spatial: file.spatial(),
  };
}

function readImage(run: OpenedFolder, folder: string, file: string): RgbImage {
  const bytes = isPlainName(file) ? readBytes(run, `${folder}/${file}`) : undefined;
  if (bytes === undefined) throw missingFile(`${run.path}/${folder}`, file);
  const name = `${run.path}/${folder}/${file}`;
  const { width, height, data } = pngToRgb(decodePng(bytes, name), name);
  return { width, height, data };
}

function readGallery(run: OpenedFolder, bytes: Uint8Array, name: string): Gallery {
  const { schema: _, ...content } = parseChecked(bytes, name, galleryFile);
  const images = new Map<string, RgbImage>();
  const patch = <T extends { file: string }>({ file, ...rest }: T): Omit<T, "file"> & Pick<GalleryPatch, "image"> => {
    const image = images.get(file) ?? readImage(run, EVIDENCE.patches, file);
    images.set(file, image);
    return { ...rest, image };
  };
  return {
    ...content,
    queries: content.queries.map((query) => ({ ...patch(query), hits: query.hits.map((hit) => patch(hit)) })),
  };
}

function readAttention(run: OpenedFolder, bytes: Uint8Array, name: string): AttentionEvidence {
  const content = parseChecked(bytes, name, attentionFile);
  const images = attentionImages(content).map((file) =>
    [file, readImage(run, EVIDENCE.attentionImages, file)] as const
  );
  return { ...content, images: new Map(images) };
}
