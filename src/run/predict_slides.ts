/**
 * What a trained run says of slides, from stored features: a table, and the attention that each tile got.
 *
 * | file | content |
 * |---|---|
 * | `predictions.csv` | a row a slide: its tiles; the likeliest class and the probability of each, the risk, or each target |
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
import type { SaidOfSlide, SlideModel, SlideRun, SlideTask } from "../methods/method.ts";
import type { CheckpointName, FoundCheckpoint } from "../train/run.ts";
import { runWarnings } from "./checks.ts";
import { contentHash } from "./content_hash.ts";
import { runHash } from "./facts.ts";
import type { Machine } from "./machine.ts";
import { checkpointOf, runSettings } from "./open.ts";
import { OutputFolder } from "./output_folder.ts";
import { eachSlide, type OpenedSlide, openSlideRows, type OutcomeOf } from "./slide_rows.ts";

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

/** What is said of a slide. */
export interface PredictedSlide {
  readonly tiles: number;
  /** Of a run that tells classes: the likeliest, and the probability of each. */
  readonly class?: string;
  readonly probabilities?: Readonly<Record<string, number>>;
  /** Of one that tells survival: higher where the event is earlier. */
  readonly risk?: number;
  /** Of one that tells numbers, by target, as its table had them. */
  readonly values?: Readonly<Record<string, number>>;
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
 * Writes what the run says of all slides; slides that cannot be used are listed where there are others.
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
      const { trained: { task }, files } = request;
      const { outcomes, failed } = await eachSlide(files, { reporter, signal }, (slide, path) => {
        return predictOne(path, slide, request.trained, model, folder);
      });
      const status = failed > 0 ? INCOMPLETE : 0;
      disk.write(`${folder.path}/${TABLE}`, tableOf(outcomes, task));
      const { run, checkpoint } = options;
      const { kind, ...names } = task;
      const json = folder.finish({ run, checkpoint, task: kind, ...names, slides: outcomes }, status);
      reporter.say(`${folder.path}/${TABLE}: ${outcomes.length - failed} of ${outcomes.length} slides`);
      return { json, status };
    } finally {
      model.close();
    }
  } finally {
    gpu.destroy();
  }
}

async function predictOne(
  path: string,
  slide: string,
  { dim, task }: SlideRun,
  model: SlideModel,
  folder: OutputFolder,
): Promise<PredictedSlide> {
  const { rows, places, close } = await openSlideRows(disk, path, dim);
  try {
    const { said, attention } = await model.run(rows);
    folder.begin();
    if (attention) await attentionFile(`${folder.path}/${ATTENTION}`, slide, attention, places);
    return { tiles: rows.count, ...namedOf(task, said) };
  } finally {
    close();
  }
}

/** What a model says, by its names. */
function namedOf(task: SlideTask, said: readonly number[]): Omit<PredictedSlide, "tiles"> {
  const by = (names: readonly string[]) => Object.fromEntries(names.map((name, k) => [name, said[k]!]));
  if (task.kind === "survival") return { risk: said[0]! };
  if (task.kind === "regression") return { values: by(task.targets) };
  return { class: task.classes[said.indexOf(Math.max(...said))]!, probabilities: by(task.classes) };
}

async function attentionFile(
  folder: string,
  slide: string,
  attention: NonNullable<SaidOfSlide["attention"]>,
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

/** A column of the table behind the number of tiles. */
type Column = readonly [name: string, of: (one: Partial<PredictedSlide>) => string | number | undefined];

function columnsOf(task: SlideTask): Column[] {
  if (task.kind === "survival") return [["risk", ({ risk }) => risk]];
  if (task.kind === "regression") return task.targets.map((name): Column => [name, ({ values }) => values?.[name]]);
  const each = task.classes.map((name): Column => [`p_${name}`, ({ probabilities }) => probabilities?.[name]]);
  return [["class", (one) => one.class], ...each];
}

function tableOf(slides: readonly OutcomeOf<PredictedSlide>[], task: SlideTask): string {
  const columns = columnsOf(task);
  const lines = slides.map(({ slide, error = "", ...one }) =>
    csvLine([slide, "tiles" in one ? one.tiles : "", ...columns.map(([, of]) => of(one) ?? ""), error])
  );
  return [csvLine(["slide_id", "tiles", ...columns.map(([name]) => name), "error"]), ...lines].join("");
}
