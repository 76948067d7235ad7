/**
 * Writes a synthetic data set: a sample at a time, whole or not at all, going on where a run before was stopped.
 *
 * `synth.json` says what was made and is written last; until then `synth.partial.json` lists the samples that are done. The
 * same options give the same bytes.
 *
 * @module
 */

import { ConfigError } from "../../core/errors.ts";
import { differing, type Facts, sameFacts } from "../../core/facts.ts";
import { type Disk, readBytes } from "../../io/disk.ts";
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
 * Writes the data set of a plan into a folder. One that is there, of the same plan, is left as it is.
 *
 * @returns What was made; undefined when it was stopped.
 * @throws {ConfigError} If the folder holds a data set of another plan and it may not be overwritten, or another program's.
 */
export async function writeSynth(
  disk: Disk,
  out: string,
  plan: SynthPlan,
  options: WriteOptions,
): Promise<SynthRecord | undefined> {
  const before = begin(disk, out, plan, options.overwrite === true);
  if (!Array.isArray(before)) return before as SynthRecord;
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

/** What decides a data set, as facts. */
function planFacts({ format, plan }: Pick<SynthRecord, "format" | "plan">): Facts {
  const entries = Object.entries(plan ?? {}).map(([key, value]) => [key, value === null ? value : String(value)]);
  return { format, ...Object.fromEntries(entries) };
}

/** Checks what the folder holds. @returns Samples that are done already, or the record if nothing is left to do. */
function begin(
  disk: Disk,
  out: string,
  plan: SynthPlan,
  overwrite: boolean,
): readonly SampleSummary[] | SynthRecord {
  const now = planFacts({ format: FORMAT, plan });
  const finished = readRecord(disk, `${out}/${DONE}`);
  const partial = readRecord(disk, `${out}/${PARTIAL}`);
  if (finished !== undefined && !overwrite) {
    sameFacts(out, planFacts(finished), now);
    disk.remove(`${out}/${PARTIAL}`);
    // Files that went since are made again.
    return finished.files.every((file) => disk.look(`${out}/${file}`) !== undefined) ? finished : [];
  }
  if (finished !== undefined) {
    discard(disk, out, finished);
    disk.remove(`${out}/${DONE}`);
  }
  if (partial !== undefined) {
    const before = planFacts(partial);
    if (finished === undefined && differing(before, now) === "") return partial.samples;
    if (!overwrite) sameFacts(out, before, now);
    discard(disk, out, partial);
    disk.remove(`${out}/${PARTIAL}`);
  }
  const foreign = ["st", "patches", "SYN"].find((name) => hasFiles(disk, `${out}/${name}`));
  if (finished === undefined && partial === undefined && foreign !== undefined) {
    throw new ConfigError(
      `Cannot write ${out}: it holds a folder ${foreign} with files that are none of this command's, expected a new folder`,
      { code: "output-exists", hint: "Pass another --out", context: { path: out } },
    );
  }
  return [];
}

/** Files of data sets, whatever their plan. */
const OWN =
  /^(?:SYN\/)?(?:(?:st|adata|patches|truth|wsis|tissue_seg|metadata|splits)\/[\w-]+\.\w+|var_50genes\.json|HEST_v1_1_0\.csv)$/;

/** Removes the files of another data set, so that none is taken for one of this. */
function discard(disk: Disk, out: string, { files }: SynthRecord): void {
  for (const file of files) if (OWN.test(file)) disk.remove(`${out}/${file}`);
}

function hasFiles(disk: Disk, path: string): boolean {
  const entry = disk.look(path);
  return entry?.kind === "folder" && entry.names.length > 0;
}

/** @throws {ConfigError} If a file of the name is of another program. */
function readRecord(disk: Disk, path: string): SynthRecord | undefined {
  if (disk.look(path) === undefined) return undefined;
  try {
    const record = JSON.parse(new TextDecoder().decode(readBytes(disk, path))) as Partial<SynthRecord> | null;
    const texts = Array.isArray(record?.files) && record.files.every((name) => typeof name === "string");
    if (texts && Array.isArray(record?.samples)) return record as SynthRecord;
  } catch { /* said below */ }
  throw new ConfigError(`Cannot write beside ${path}: it is no record of this command`, {
    code: "output-exists",
    hint: "Move it away, or pass another --out",
    context: { path },
  });
}
