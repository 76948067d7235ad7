/**
 * Gene expression by a trained run, its linear probe, its image decoder or its head on the frozen encoder, for the patches of data folders or over slides in a grid.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { type Facts, notOwn, sameFacts } from "../core/facts.ts";
import { VERSION } from "../core/version.ts";
import { centre } from "../data/coordinates.ts";
import { readBytes } from "../io/disk.ts";
import { unknownName } from "../data/holdout.ts";
import type { PassOptions } from "../eval/inference.ts";
import { predictPatches } from "../eval/predict.ts";
import { type Prediction, predictionH5ad } from "../eval/prediction.ts";
import { type PredictionSource, withProbe } from "../eval/predictor.ts";
import { expressionOf } from "../data/data_folder.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { H5File } from "../io/hdf5/h5.ts";
import { H5Writer } from "../io/hdf5/h5_write.ts";
import { readTree } from "../io/hdf5/h5ad_uns.ts";
import { writeH5ad } from "../io/hdf5/h5ad_write.ts";
import { lockFile } from "../io/lock.ts";
import { unreadable } from "../io/made_output.ts";
import { type Metadata, parseMetadata } from "../io/metadata.ts";
import { contentHash } from "./content_hash.ts";
import { checkFile, checkFolder, endsAll, isSame } from "../io/output.ts";
import { findThumbnail } from "../evidence/thumbnail.ts";
import { runHash } from "./facts.ts";
import {
  checkSlide,
  type CoverOptions,
  givenFiles,
  predictOverSlide,
  recordFailed,
  recordSlide,
  type SlideOf,
  writeSummary,
} from "./predict_slide.ts";
import { chooseRunSource, readRunHead, readRunProbe, type Source } from "./predictors.ts";
import { slideName } from "../slides/names.ts";
import { PREDICTOR_FILES } from "../evidence/predictor.ts";
import { type KnownRun, lookAtRun, type OpenedRun, openRun, originOf } from "./open.ts";
import { organOf } from "./data.ts";
import type { HostMachine } from "./machine.ts";
import type { Reporter } from "../core/reporter.ts";
import type { CheckpointName } from "../train/run.ts";

/** What is to be predicted, with what and how. */
export interface PredictOptions extends CoverOptions {
  /** Folder of the run. */
  readonly run: string;
  readonly checkpoint: CheckpointName;
  /** Where the encoder's weights are now, if elsewhere than at training. */
  readonly encoder?: string | undefined;
  readonly precision?: "f32" | "f16" | undefined;
  /** Patches a batch; 64, on software 8. */
  readonly batchSize?: number | undefined;
  /** Data folders in HEST's layout. */
  readonly data: readonly string[];
  /** Slides that a grid covers; with {@linkcode CoverOptions.grid} also those of the folders, else these have patch files. */
  readonly slides: readonly string[];
  /** Only these samples of the folders. */
  readonly samples?: readonly string[] | undefined;
  /** What predicts. */
  readonly source: "auto" | PredictionSource;
  /** Organ of all samples, for models with an organ token. */
  readonly organ?: string | undefined;
  /** Folder of the outputs. */
  readonly out: string;
  readonly overwrite: boolean;
  /** Settings as the outputs keep them. */
  readonly settings: Facts;
}

/** One output. */
export interface PredictJob {
  readonly id: string;
  readonly output: string;
  readonly metadata: Metadata | undefined;
  readonly patches?: { readonly patches: string; readonly expression: string | undefined };
  readonly slide?: string;
}

/** What became of one. */
export interface PredictOutcome {
  readonly name: string;
  readonly output: string;
  readonly status: "done" | "empty" | "failed";
  readonly rows?: number;
  readonly genes?: number;
  readonly error?: string;
}

function names(path: string, ending: RegExp): string[] {
  const entry = disk.look(path);
  return entry?.kind === "folder" ? entry.names.filter((name) => ending.test(name) && !name.startsWith(".")) : [];
}

function isFile(path: string): boolean {
  return disk.look(path)?.kind === "file";
}

/** What is to be predicted: patch files or, with a grid, slides of the folders, and slides by name. */
function jobsOf(values: Pick<PredictOptions, "data" | "slides" | "grid" | "samples" | "out">): PredictJob[] {
  const chosen = values.samples;
  const jobs: PredictJob[] = [];
  const known: string[] = [];
  for (const given of values.data) {
    const folder = given.replace(/[/\\]+$/, "");
    const where = values.grid === undefined ? "patches" : "wsis";
    const files = names(`${folder}/${where}`, values.grid === undefined ? /\.h5$/ : /\.(tiff?|svs)$/i);
    if (!files.length) {
      throw new DataError(`Cannot predict for ${folder}: ${folder}/${where} has no files, some wanted`, {
        code: "no-samples",
        hint: values.grid === undefined
          ? "Give a folder in HEST's layout, or a slide with --slide"
          : "Leave out --grid",
      });
    }
    for (const file of files) {
      const id = file.replace(/\.[^.]+$/, "");
      known.push(id);
      if (chosen && !chosen.includes(id)) continue;
      const json = `${folder}/metadata/${id}.json`;
      const metadata = isFile(json) ? parseMetadata(readBytes(disk, json), json) : undefined;
      const path = `${folder}/${where}/${file}`;
      const table = expressionOf(disk, folder, id);
      jobs.push({
        id,
        output: `${values.out}/${id}${values.grid === undefined ? "" : ".grid"}.h5ad`,
        metadata,
        ...(values.grid === undefined ? { patches: { patches: path, expression: table } } : { slide: path }),
      });
    }
  }
  for (const slide of values.slides) {
    const id = slideName(slide);
    jobs.push({ id, output: `${values.out}/${id}.grid.h5ad`, metadata: undefined, slide });
  }
  const twice = jobs.find(({ output }, i) => jobs.findIndex((job) => job.output === output) !== i);
  if (twice) throw new ConfigError(`Cannot write ${twice.output} twice: two inputs are named ${twice.id}`);
  for (const id of chosen ?? []) {
    if (!jobs.some((job) => job.id === id)) throw unknownName("predict for", "sample", id, known);
  }
  return jobs;
}

/** What is asked for, as far as it is known without a device. */
export interface PredictRequest {
  readonly values: PredictOptions;
  readonly known: KnownRun;
  /** What predicts. */
  readonly source: Source;
  readonly jobs: readonly PredictJob[];
  /** What each output is made from and how, by its path. */
  readonly facts: ReadonlyMap<string, Facts>;
}

/** Refuses whatever can be refused before the device is opened. */
export async function predictRequest(values: PredictOptions): Promise<PredictRequest> {
  const { run, checkpoint, encoder, organ } = values;
  checkFolder(values.out);
  const jobs = jobsOf(values);
  if (!jobs.length) {
    throw new ConfigError("Cannot predict: neither --data nor --slide is given", {
      hint: "For example --data data/hest",
    });
  }
  const known = await lookAtRun({ run, checkpoint, encoder });
  const { step } = originOf(run, checkpoint, known);
  const source = chooseRunSource(run, values.source, step);
  if (known.organs) jobs.forEach((job) => organOf(job, organ));
  // Of several, one that is not there is listed as failed.
  if (jobs.length === 1 && jobs[0]!.slide !== undefined) await checkSlide(slideOf(jobs[0]!), values);
  const shared = {
    software: `seal-webgpu ${VERSION}`,
    ...values.settings,
    run_sha256: await runHash(known, run),
    predicted_by: source.source,
  };
  const facts = new Map<string, Facts>();
  for (const { output, patches, slide, id } of jobs) {
    checkFile(output);
    const inputs = [slide, patches?.patches, patches?.expression].filter((path) => path !== undefined);
    if (inputs.some((path) => isSame(path, output))) {
      throw new ConfigError(`Cannot write ${output}: it is the input`, { hint: "Pass --out with another folder" });
    }
    const metadata = values.data.map((folder) => `${folder}/metadata/${id}.json`);
    const given = slide === undefined ? [] : givenFiles(id, values);
    facts.set(output, { ...shared, sample: id, input_sha256: await contentHash([...inputs, ...metadata, ...given]) });
  }
  return { values, known, source, jobs, facts };
}

/** What a finished output says of itself. */
interface Made {
  readonly rows: number;
  /** `uns/seal`. */
  readonly origin: Readonly<Record<string, unknown>>;
}

/**
 * An output that is finished already.
 *
 * @throws {ConfigError} If what is there was made from something else, or otherwise, or by another program.
 */
async function madeAt(output: string, facts: Facts): Promise<Made | undefined> {
  if (disk.look(output) === undefined) return undefined;
  let [origin, rows]: [Record<string, unknown>, number] = [{}, 0];
  let before: Record<string, unknown>;
  try {
    using file = await H5File.open(disk.open(output, "read"));
    origin = file.kind("/uns/seal") === undefined ? {} : readTree(file, "/uns/seal");
    if (origin["made"] === undefined) {
      throw notOwn(output, "it is there already and does not say what it was made from");
    }
    rows = file.info("/X").shape?.[0] ?? 0;
    before = JSON.parse(String(origin["made"]));
  } catch (error) {
    throw error instanceof ConfigError ? error : unreadable(disk, output, error);
  }
  sameFacts(output, before, facts);
  return { rows, origin };
}

/**
 * Writes what is asked for; outputs that are there already are left as they are.
 *
 * @throws {ConfigError} If an output was made from something else, or otherwise, or by another program.
 */
export async function predict(request: PredictRequest, machine: HostMachine): Promise<PredictOutcome[]> {
  const { values, jobs, facts, known } = request;
  const made = new Map<string, Made>();
  for (const { output } of values.overwrite ? [] : jobs) {
    const there = await madeAt(output, facts.get(output)!);
    if (there !== undefined) made.set(output, there);
  }
  const done = jobs.filter(({ output }) => made.has(output)).map((job): PredictOutcome => {
    const { rows, origin } = made.get(job.output)!;
    // What a process that was killed held is let go, and what it had not recorded yet is.
    lockFile(job.output, "predict").release();
    machine.host.reporter.say(`${job.output}: is there`);
    const status = job.slide === undefined ? "done" : recordSlide(values.out, job.id, rows, origin);
    return { name: job.id, output: job.output, status };
  });
  const todo = jobs.filter(({ output }) => !made.has(output));
  const outcomes = [...done, ...(todo.length ? await predictAll(request, todo, machine) : [])];
  if (jobs.some(({ slide }) => slide !== undefined)) {
    const { encoder, licence } = originOf(values.run, values.checkpoint, known);
    writeSummary(values.out, { run: values.run, encoder, "licence of its weights": licence });
  }
  return outcomes;
}

async function predictAll(
  { values, known, source, facts }: PredictRequest,
  jobs: readonly PredictJob[],
  { host, openGpu }: HostMachine,
): Promise<PredictOutcome[]> {
  const { reporter: progress, signal } = host;
  for (const line of source.lines) progress.say(line);
  // Read before the device opens: a damaged file costs nothing then.
  const probe = source.source === "probe" ? readRunProbe(values.run, known.vocabulary.genes.length) : undefined;
  const head = source.source === "head" ? readRunHead(values.run) : undefined;
  const gpu = await openGpu();
  try {
    const run = await openRun(gpu, {
      run: values.run,
      head,
      checkpoint: values.checkpoint,
      encoder: values.encoder,
      precision: values.precision,
      batchSize: values.batchSize ?? (gpu.caps.software ? 8 : 64),
      host,
    }, known);
    const opened: OpenedRun = {
      ...run,
      ...(probe && { model: withProbe(run.model, probe, `${values.run}/${PREDICTOR_FILES.probe}`) }),
      origin: { ...run.origin, ...source.facts },
    };
    try {
      const outcomes: PredictOutcome[] = [];
      for (const job of jobs) {
        outcomes.push(
          await predictListed(opened, job, facts.get(job.output)!, { values, progress, signal }, jobs.length),
        );
      }
      return outcomes;
    } finally {
      await opened.close();
    }
  } finally {
    gpu.destroy();
  }
}

/** How one is predicted. */
interface Setting {
  readonly values: PredictOptions;
  readonly progress: Reporter;
  readonly signal: AbortSignal | undefined;
}

/** Predicts one of `of`, or lists it as failed if there are others. */
async function predictListed(
  opened: OpenedRun,
  job: PredictJob,
  facts: Facts,
  { values, progress, signal }: Setting,
  of: number,
): Promise<PredictOutcome> {
  try {
    makeFolder(values.out);
    using _lock = lockFile(job.output, "predict");
    const prediction = await predictOne(opened, job, values, progress, signal);
    const origin = { ...opened.origin, ...prediction.origin, made: JSON.stringify(facts) };
    await writePrediction(job.output, { ...prediction, origin });
    const [rows, genes] = [prediction.barcodes.length, prediction.genes.length];
    const status = job.slide === undefined ? "done" : recordSlide(values.out, job.id, rows, origin);
    if (status === "empty") progress.warn(`${job.id}: no tile lies on tissue`);
    progress.say(`${job.output}: ${rows} x ${genes}`);
    return { name: job.id, output: job.output, status, rows, genes };
  } catch (error) {
    if (job.slide !== undefined && !endsAll(error)) recordFailed(values.out, job.id, (error as Error).message);
    // One input: its own error and exit status. Several: the others go on.
    if (of === 1 || endsAll(error) || (error as { code?: string }).code === "no-decoder") throw error;
    progress.warn(`${job.id}: ${(error as Error).message}`);
    return { name: job.id, output: job.output, status: "failed", error: (error as Error).message };
  }
}

/** A job's slide. */
function slideOf({ id, slide, metadata }: PredictJob): SlideOf {
  return { id, slide: slide!, pixelSize: metadata?.pixelSize };
}

async function predictOne(
  { model, organs, batchSize }: OpenedRun,
  job: PredictJob,
  values: PredictOptions,
  progress: Reporter,
  signal: AbortSignal | undefined,
): Promise<Prediction> {
  const { id, metadata, patches } = job;
  const organ = organs ? organOf({ id, metadata }, values.organ) : undefined;
  const options: PassOptions = {
    batchSize,
    ...(signal && { signal }),
    ...(organ === undefined ? {} : { organ: () => organ }),
    onRows: (done, total) => progress.update(id, done, total, "tiles"),
  };
  if (patches) return await withImage(id, metadata, patches, await predictPatches(model, disk, patches, options));
  const outlines = job.output.replace(/\.h5ad$/, ".tissue.geojson");
  return await predictOverSlide(model, slideOf(job), values, options, progress, outlines);
}

/** Puts the small image of the sample beside its prediction, where there is one, for plots over it. */
async function withImage(
  id: string,
  metadata: Metadata | undefined,
  { expression, patches }: NonNullable<PredictJob["patches"]>,
  prediction: Prediction,
): Promise<Prediction> {
  const { spatial, barcodes } = prediction;
  if (spatial === undefined || expression === undefined) return prediction;
  const files = { folder: patches.replace(/\/patches\/[^/]*$/, ""), expression, metadata };
  const sample = { id, count: barcodes.length, spatial: centre(spatial), files };
  const { thumbnail, spotDiameter } = await findThumbnail(sample, disk);
  return {
    ...prediction,
    ...(thumbnail && { thumbnail: { ...thumbnail.image, scale: thumbnail.scale } }),
    ...(spotDiameter !== undefined && { spotDiameter }),
  };
}

/** Writes a prediction, whole or not at all. */
async function writePrediction(path: string, prediction: Prediction): Promise<void> {
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(path, (file) => {
    const h5 = begin(file);
    writeH5ad(h5, predictionH5ad(prediction));
    h5.close();
  });
}
