/**
 * Classes of slides by a trained run, from stored features: a table, and the attention that each tile got.
 *
 * | file | content |
 * |---|---|
 * | `predictions.csv` | a row a slide: its tiles, the likeliest class, the probability of each |
 * | `attention/NAME.h5` | `attention` f32 `[n]`, which sums to 1, and `coords` where the features have them, with what these say |
 * | `predictions.json` | the same table, and what it was made from; written last |
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import type { Facts } from "../core/facts.ts";
import { csvLine } from "../io/csv.ts";
import { featureFilesOf } from "../io/feature_folder.ts";
import { writeAttention } from "../io/attention.ts";
import { disk, makeFolder } from "../io/fs.ts";
import { H5Writer } from "../io/hdf5/h5_write.ts";
import { endsAll } from "../io/output.ts";
import { isTyped } from "../io/system_error.ts";
import type { SlideClasses, SlideModel, SlideRun } from "../methods/method.ts";
import type { CheckpointName, FoundCheckpoint } from "../train/run.ts";
import { runWarnings } from "./checks.ts";
import { contentHash } from "./content_hash.ts";
import { runHash } from "./facts.ts";
import type { Machine } from "./machine.ts";
import { checkpointOf, runSettings } from "./open.ts";
import { OutputFolder } from "./output_folder.ts";
import { type OpenedSlide, openSlideRows } from "./slide_rows.ts";

/** What is asked for. */
export interface PredictSlidesOptions {
  readonly run: string;
  readonly checkpoint: CheckpointName;
  /** Folders with a feature file a slide. */
  readonly features: readonly string[];
  readonly out: string;
  readonly overwrite: boolean;
  /** Settings as the output keeps them. */
  readonly settings: Facts;
}

/** A slide of the result. */
export interface SlideOutcome {
  readonly slide: string;
  readonly tiles?: number;
  readonly class?: string;
  /** By class. */
  readonly probabilities?: Readonly<Record<string, number>>;
  /** Why there are none. */
  readonly error?: string;
}

const RESULT = "predictions.json";
const TABLE = "predictions.csv";
const ATTENTION = "attention";

/** What is known before the device is open. */
interface Request {
  readonly trained: SlideRun;
  readonly found: FoundCheckpoint;
  /** Files by slide. */
  readonly files: ReadonlyMap<string, string>;
  readonly facts: Facts;
}

async function requestOf({ run, checkpoint, features, settings }: PredictSlidesOptions): Promise<Request> {
  const { method, config } = await runSettings(run);
  if (method.slides === undefined) {
    throw new ConfigError(`Cannot predict from features with ${run}: models of method ${method.name} take patches`, {
      code: "method-unsupported",
      hint: "Give --data DIR or --slide FILE",
      context: { run, method: method.name },
    });
  }
  const found = checkpointOf(run, checkpoint, config);
  const files = featureFilesOf(disk, features, "predict");
  return {
    trained: method.slides(config, found),
    found,
    files,
    facts: {
      ...settings,
      run_sha256: await runHash({ found }, run),
      features_sha256: await contentHash([...files.values()]),
    },
  };
}

/**
 * Writes the classes of all slides; slides that cannot be used are listed where there are others.
 *
 * @returns The result and the exit status.
 * @throws {ConfigError} If run and features do not fit, or the output was made from something else.
 * @throws {DataError | FormatError} If the only slide cannot be used.
 */
export async function predictSlides(
  options: PredictSlidesOptions,
  { reporter, signal, openGpu }: Machine,
): Promise<{ json: Readonly<Record<string, unknown>>; status: number }> {
  const request = await requestOf(options);
  using folder = OutputFolder.open({
    out: options.out,
    command: "predict",
    result: RESULT,
    names: [TABLE, ATTENTION],
    facts: request.facts,
    overwrite: options.overwrite,
  });
  if (folder.finished) {
    reporter.say(`${options.out}: is there`);
    return folder.finished;
  }
  for (const warning of runWarnings(options.run, request.found)) reporter.warn(warning);
  const gpu = await openGpu();
  try {
    const model = await request.trained.open(gpu);
    try {
      const slides = await predictAll(request, model, folder, { reporter, signal });
      const failed = slides.filter(({ error }) => error !== undefined).length;
      const status = failed > 0 ? INCOMPLETE : 0;
      disk.write(`${folder.path}/${TABLE}`, tableOf(slides, request.trained.classes));
      const { run, checkpoint } = options;
      const json = folder.finish({ run, checkpoint, classes: request.trained.classes, slides }, status);
      reporter.say(`${folder.path}/${TABLE}: ${slides.length - failed} of ${slides.length} slides`);
      return { json, status };
    } finally {
      model.close();
    }
  } finally {
    gpu.destroy();
  }
}

async function predictAll(
  { files, trained }: Request,
  model: SlideModel,
  folder: OutputFolder,
  { reporter, signal }: Pick<Machine, "reporter" | "signal">,
): Promise<SlideOutcome[]> {
  const slides: SlideOutcome[] = [];
  for (const [slide, path] of files) {
    signal.throwIfAborted();
    try {
      slides.push({ slide, ...await predictOne(path, slide, trained, model, folder) });
    } catch (error) {
      if (files.size === 1 || endsAll(error) || !isTyped(error)) throw error;
      reporter.warn(error.message);
      slides.push({ slide, error: error.message });
    }
    reporter.update("slides", slides.length, files.size, "slides");
  }
  return slides;
}

async function predictOne(
  path: string,
  slide: string,
  { dim, classes }: SlideRun,
  model: SlideModel,
  folder: OutputFolder,
): Promise<Omit<SlideOutcome, "slide">> {
  const { rows, places, close } = await openSlideRows(disk, path, dim);
  try {
    const { probabilities, attention } = await model.run(rows);
    folder.begin();
    if (attention) await attentionFile(`${folder.path}/${ATTENTION}`, slide, attention, places);
    const best = probabilities.indexOf(Math.max(...probabilities));
    const named = Object.fromEntries(classes.map((name, k) => [name, probabilities[k]!]));
    return { tiles: rows.count, class: classes[best]!, probabilities: named };
  } finally {
    close();
  }
}

async function attentionFile(
  folder: string,
  slide: string,
  attention: NonNullable<SlideClasses["attention"]>,
  places: OpenedSlide["places"],
): Promise<void> {
  makeFolder(folder);
  const begin = await H5Writer.prepare();
  disk.writeAnywhere(`${folder}/${slide}.h5`, (storage) => {
    const h5 = begin(storage);
    writeAttention(h5, attention, places);
    h5.close();
  });
}

function tableOf(slides: readonly SlideOutcome[], classes: readonly string[]): string {
  const lines = slides.map(({ slide, tiles = "", class: best = "", probabilities, error = "" }) =>
    csvLine([slide, tiles, best, ...classes.map((name) => probabilities?.[name] ?? ""), error])
  );
  return [csvLine(["slide_id", "tiles", "class", ...classes.map((name) => `p_${name}`), "error"]), ...lines].join("");
}
