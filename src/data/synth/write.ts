/**
 * Writes a synthetic data set: a sample at a time, whole or not at all, going on where a run before was stopped.
 *
 * `synth.json` says what was made and is written last; until then `synth.partial.json` lists the samples that are done. The
 * same options give the same bytes.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import type { Disk } from "../../io/disk.ts";
import { samplePaths, sharedFiles, writeSample } from "./files.ts";
import { geneModel, GENES } from "./genes.ts";
import { sampleId, slidesOf, type SynthPlan } from "./plan.ts";
import { makeSample } from "./sample.ts";

/** Changes when the same plan would give other bytes. */
const FORMAT = 2;
const DONE = "synth.json";
const PARTIAL = "synth.partial.json";

/** What was made of a sample. */
export interface SampleSummary {
  readonly id: string;
  readonly spots: number;
  readonly patches: number;
  /** Sum of its counts. */
  readonly counts: number;
}

/** What was made; the content of `synth.json`. */
export interface SynthRecord {
  readonly format: number;
  readonly plan: SynthPlan;
  readonly genes: number;
  readonly samples: readonly SampleSummary[];
  /** Paths below the data set's folder. */
  readonly files: readonly string[];
}

/** How a data set is written. */
export interface WriteOptions {
  /** Makes a folder and its parents, if need be. */
  makeFolder(path: string): void;
  /** Replaces another data set that is there. */
  readonly overwrite?: boolean;
  /** Stops between two samples. */
  readonly signal?: AbortSignal;
  /** Called when samples are done. */
  onSamples?(done: number, total: number): void;
}

/**
 * Writes the data set of a plan into a folder.
 *
 * @returns What was made; undefined when it was stopped.
 * @throws {ConfigError} If the folder holds a finished data set, or another, and may not be overwritten.
 */
export async function writeSynth(
  disk: Disk,
  out: string,
  plan: SynthPlan,
  options: WriteOptions,
): Promise<SynthRecord | undefined> {
  const before = begin(disk, out, plan, options.overwrite === true);
  const slides = slidesOf(plan);
  const model = geneModel(plan.seed);
  const shared = sharedFiles(plan, slides, model);
  const files = [
    ...slides.flatMap((slide) => Object.values(samplePaths(plan, sampleId(slide)))),
    ...Object.keys(shared),
  ];
  for (const folder of new Set(files.map((file) => file.replace(/[^/]*$/, "")))) options.makeFolder(`${out}/${folder}`);
  const samples = [...before];
  const record = (): SynthRecord => ({ format: FORMAT, plan, genes: GENES, samples, files });
  const text = () => `${JSON.stringify(record(), null, 2)}\n`;
  disk.write(`${out}/${PARTIAL}`, text());
  options.onSamples?.(samples.length, slides.length);
  for (const slide of slides.slice(samples.length)) {
    // Lets signals in.
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (options.signal?.aborted) return undefined;
    const sample = makeSample(plan, slide, model);
    await writeSample(disk, out, plan, sample, model);
    const counts = sample.counts.reduce((a, b) => a + b, 0);
    samples.push({ id: sample.id, spots: slide.spots.length, patches: sample.windows.length, counts });
    disk.write(`${out}/${PARTIAL}`, text());
    options.onSamples?.(samples.length, slides.length);
  }
  for (const [path, content] of Object.entries(shared)) disk.write(`${out}/${path}`, content);
  disk.write(`${out}/${DONE}`, text());
  disk.remove(`${out}/${PARTIAL}`);
  return record();
}

/** Checks what the folder holds. @returns Samples that are done already. */
function begin(disk: Disk, out: string, plan: SynthPlan, overwrite: boolean): readonly SampleSummary[] {
  const refuse = (what: string, hint: string): never => {
    throw new ConfigError(`Cannot write ${out}: it holds ${what}, expected a new folder`, {
      code: "output-exists",
      hint,
      context: { path: out },
    });
  };
  const finished = readRecord(disk, `${out}/${DONE}`);
  const partial = readRecord(disk, `${out}/${PARTIAL}`);
  if (finished !== undefined) {
    if (!overwrite) refuse("a finished data set", "Pass --overwrite to replace it");
    discard(disk, out, finished);
    disk.remove(`${out}/${DONE}`);
  }
  if (partial !== undefined) {
    const same = partial.format === FORMAT && JSON.stringify(partial.plan) === JSON.stringify(plan);
    if (same && finished === undefined) return partial.samples;
    if (!overwrite) refuse("another data set, unfinished", "Pass --overwrite to replace it");
    discard(disk, out, partial);
    disk.remove(`${out}/${PARTIAL}`);
  }
  const foreign = ["st", "patches", "SYN"].find((name) => hasFiles(disk, `${out}/${name}`));
  if (finished === undefined && partial === undefined && foreign !== undefined) {
    refuse(`a folder ${foreign} with files that are none of this command's`, "Pass another --out");
  }
  return [];
}

/** Removes the files of another data set, so that none is taken for one of this. */
function discard(disk: Disk, out: string, { files }: SynthRecord): void {
  for (const file of files) if (!file.split("/").includes("..")) disk.remove(`${out}/${file}`);
}

function hasFiles(disk: Disk, path: string): boolean {
  const entry = disk.look(path);
  return entry?.kind === "folder" && entry.names.length > 0;
}

function readRecord(disk: Disk, path: string): SynthRecord | undefined {
  const entry = disk.look(path);
  if (entry?.kind !== "file") return undefined;
  const file = disk.open(path, "read");
  try {
    const bytes = new Uint8Array(entry.size);
    file.read(0, bytes);
    const record = JSON.parse(new TextDecoder().decode(bytes)) as Partial<SynthRecord> | null;
    const texts = Array.isArray(record?.files) && record.files.every((name) => typeof name === "string");
    return texts && Array.isArray(record?.samples) ? record as SynthRecord : undefined;
  } catch {
    return undefined;
  } finally {
    file.close();
  }
}
