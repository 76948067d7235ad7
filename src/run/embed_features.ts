/**
 * Stored features through a trained run: other features in files of the same form, and what the run says of each row.
 *
 * | file | content |
 * |---|---|
 * | `NAME.h5` (or another form) | features, with the names and places of the input's rows |
 * | `rows/NAME.csv` | a line a row: its name, and the run's columns, such as the expert, of runs that have some |
 * | `embedding.json` | the list of files, and what they were made from; written last |
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import type { Facts } from "../core/facts.ts";
import { VERSION } from "../core/version.ts";
import { type FeatureFormat, writeFeatures } from "../embed/formats.ts";
import { csvLine } from "../io/csv.ts";
import { featureFilesOf } from "../io/feature_folder.ts";
import { checkContent, CONTENT_SUM, type Features, openFeatures } from "../io/features.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { isSame } from "../io/output.ts";
import type { FeatureModel, FeatureRun } from "../methods/method.ts";
import type { CheckpointName, FoundCheckpoint } from "../train/run.ts";
import { runWarnings } from "./checks.ts";
import { findCheckpoint } from "./checkpoints.ts";
import { contentHash } from "./content_hash.ts";
import { runHash } from "./facts.ts";
import type { Machine } from "./machine.ts";
import { checkpointOf, runSettings } from "./open.ts";
import { OutputFolder } from "./output_folder.ts";
import { eachSlide, slideRows } from "./slide_rows.ts";

/** What is asked for. */
export interface EmbedFeaturesOptions {
  readonly run: string;
  /** Folders with a feature file a sample; those of the run where none is named. */
  readonly features: readonly string[];
  /** What is made of them; the run's first form by default. */
  readonly form: string | undefined;
  /** Whether the run's model computes in f16. */
  readonly half: boolean;
  readonly format: FeatureFormat;
  readonly out: string;
  readonly overwrite: boolean;
  /** Settings as the output keeps them. */
  readonly settings: Facts;
}

/** A file of the result. */
export interface FeaturesOutcome {
  readonly name: string;
  readonly rows?: number;
  readonly file?: string;
  /** Why there is none. */
  readonly error?: string;
}

const RESULT = "embedding.json";
const ROWS = "rows";

/** What is known before the device is open. */
interface Request {
  readonly trained: FeatureRun;
  readonly found: FoundCheckpoint;
  readonly form: string;
  /** Files by name. */
  readonly files: ReadonlyMap<string, string>;
  readonly facts: Facts;
}

async function requestOf(options: EmbedFeaturesOptions): Promise<Request> {
  const { run, settings } = options;
  const { method, config } = await runSettings(run);
  if (method.features === undefined) {
    throw new ConfigError(`Cannot embed features with ${run}: models of method ${method.name} make none of others`, {
      code: "method-unsupported",
      hint: method.trained === undefined
        ? "Give a run of method spade or bulk"
        : `Embed patches with its encoder: --adapter ${run}/checkpoints/best`,
      context: { run, method: method.name },
    });
  }
  // Methods that choose within a run leave one checkpoint.
  const name: CheckpointName = findCheckpoint(run, "best") ? "best" : "last";
  const found = checkpointOf(run, name, config);
  const trained = method.features(config, found);
  const form = options.form ?? trained.forms[0]!;
  if (!trained.forms.includes(form)) {
    throw new ConfigError(`Cannot make ${form} of features: wanted ${trained.forms.join(" or ")}`, {
      hint: `--form ${trained.forms[0]}`,
      context: { flag: "form", given: form },
    });
  }
  const own = (config.input as { features?: readonly string[] }).features ?? [];
  const files = featureFilesOf(disk, options.features.length > 0 ? options.features : own, "embed");
  const facts = {
    ...settings,
    form,
    run_sha256: await runHash({ found }, run),
    features_sha256: await contentHash([...files.values()]),
  };
  return { trained, found, form, files, facts };
}

/**
 * Writes the features of all files; files that cannot be used are listed where there are others.
 *
 * @returns The result and the exit status.
 * @throws {ConfigError} If run and features do not fit, or the output was made from something else.
 * @throws {DataError | FormatError | WeightsError} If the only file cannot be used.
 */
export async function embedFeatures(
  options: EmbedFeaturesOptions,
  { reporter, signal, openGpu }: Machine,
): Promise<{ json: Readonly<Record<string, unknown>>; status: number }> {
  const request = await requestOf(options);
  const { files, trained, form, facts } = request;
  const ending = options.format;
  const names = [...files.keys()].map((name) => `${name}.${ending}`);
  for (const [i, path] of [...files.values()].entries()) {
    const output = `${options.out}/${names[i]}`;
    if (!isSame(path, output)) continue;
    throw new ConfigError(`Cannot write ${output}: it is the input`, {
      hint: "Pass --out with another folder",
      context: { path: output },
    });
  }
  const besides = ending === "npy" || ending === "csv" ? names.map((name) => `${name}.json`) : [];
  using folder = OutputFolder.open({
    out: options.out,
    command: "embed",
    result: RESULT,
    names: [...names, ...besides, ROWS],
    facts,
    overwrite: options.overwrite,
  });
  if (folder.finished) {
    reporter.say(`${options.out}: is there`);
    return folder.finished;
  }
  for (const warning of runWarnings(options.run, request.found)) reporter.warn(warning);
  const gpu = await openGpu();
  try {
    const model = await trained.open(gpu, form, options.half);
    try {
      const { outcomes, failed } = await eachSlide(files, { reporter, signal }, (name, path) => {
        return embedOne({ name, path, model, request, options, folder, signal });
      });
      const done = outcomes.map(({ slide: name, ...one }): FeaturesOutcome => ({ name, ...one }));
      const status = failed > 0 ? INCOMPLETE : 0;
      const json = folder.finish({ run: options.run, form, dim: model.dim, files: done }, status);
      reporter.say(`${options.out}: ${done.length - failed} of ${done.length} files, ${model.dim} numbers a row`);
      return { json, status };
    } finally {
      model.close();
    }
  } finally {
    gpu.destroy();
  }
}

/** Rows that go to the device at a time. */
const BLOCK = 1 << 14;

async function embedOne(
  { name, path, model, request, options, folder, signal }: {
    name: string;
    path: string;
    model: FeatureModel;
    request: Request;
    options: EmbedFeaturesOptions;
    folder: OutputFolder;
    signal: AbortSignal;
  },
): Promise<Omit<FeaturesOutcome, "name">> {
  const { trained, form, facts } = request;
  const file = await openFeatures(disk.open(path, "read"));
  try {
    const { count, dim } = file;
    const given = slideRows({ name: path, count, read: (from, to) => file.read(from, to) }, dim, trained.dim);
    trained.check(file);
    await checkContent(file);
    const all = new Float32Array(file.count * model.dim);
    const lines = [csvLine(["row", ...trained.columns])];
    const rowNames = file.barcodes ?? file.files;
    for (let from = 0; from < file.count; from += BLOCK) {
      signal.throwIfAborted();
      const { features, table } = await model.run(await given.read(from, Math.min(file.count, from + BLOCK)));
      all.set(features, from * model.dim);
      table.forEach((row, i) => lines.push(csvLine([rowNames?.[from + i] ?? from + i, ...row])));
    }
    folder.begin();
    if (trained.columns.length > 0) {
      makeFolder(`${folder.path}/${ROWS}`);
      disk.write(`${folder.path}/${ROWS}/${name}.csv`, lines.join(""));
    }
    const out = `${name}.${options.format}`;
    const { coords, barcodes, files } = file;
    await writeFeatures(disk, `${folder.path}/${out}`, options.format, {
      count: file.count,
      dim: model.dim,
      attributes: {
        ...madeFrom(file),
        run_form: form,
        run_sha256: String(facts["run_sha256"]),
        software: `seal-webgpu ${VERSION}`,
      },
      ...(coords && { coords: Int32Array.from(coords) }),
      ...(barcodes
        ? { rowNames: { kind: "barcode", values: barcodes } }
        : files && { rowNames: { kind: "file", values: files } }),
    }, (from, to) => all.subarray(from * model.dim, to * model.dim));
    return { rows: file.count, file: out };
  } finally {
    file.close();
  }
}

/** What the input says of itself, in text and numbers. */
function madeFrom({ attributes }: Features): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(attributes).filter((entry): entry is [string, string | number] =>
      entry[0] !== CONTENT_SUM && (typeof entry[1] === "string" || typeof entry[1] === "number")
    ),
  );
}
