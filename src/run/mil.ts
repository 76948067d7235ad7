/**
 * Slide-level models on all folds of a cohort: models of the mean, models that are trained on bags, and retrieval, judged on the
 * same test cases, in one folder.
 *
 * | file | content |
 * |---|---|
 * | `runs/FEATURES/MODEL/fold_N` (of several seeds `fold_N_seed_S`) | a run of training each: metrics, checkpoint, attention and outputs of the test cases |
 * | `scores.csv`, `predictions.csv` | scores by fold, and what each model says of each test case |
 * | `report.html` | a page of all, with each fold's scores and curves |
 * | `results.json` | what it is made of and on which device; scores over folds with intervals, paired differences, folds, what was left out; written last |
 *
 * @module
 */

import { ConfigError } from "../core/errors.ts";
import { INCOMPLETE } from "../core/exit_status.ts";
import type { Facts } from "../core/facts.ts";
import type { CaseSlides } from "../eval/cohort/cohort.ts";
import type { CohortResult } from "../eval/cohort/evaluate.ts";
import { openFold } from "../eval/cohort/models.ts";
import { type NeighbourScores, neighbourScores } from "../eval/cohort/neighbours.ts";
import { cohortJson } from "../eval/cohort/output.ts";
import type { Gpu } from "../gpu/device.ts";
import { disk } from "../io/fs.ts";
import { checkFolder } from "../io/output.ts";
import { writeFolds } from "../report/folds.ts";
import { EVIDENCE } from "../report/run_evidence.ts";
import type { ConfigOverrides } from "../train/config/format.ts";
import { cohortFacts, type CohortFiles, type LoadedCohort, openCohort } from "./cohort.ts";
import { type Evaluated, RESULT } from "./evaluate.ts";
import {
  cohortMadeOf,
  judge,
  leftOutTexts,
  load,
  PREDICTIONS,
  problemTexts,
  SCORES,
  writeTables,
} from "./evaluate_cohort.ts";
import {
  costOf,
  FoldData,
  type FoldMethod,
  type FoldRun,
  type RunMachine,
  type RunPlan,
  RUNS,
  runsOf,
  trainedModels,
  trainRuns,
} from "./mil_runs.ts";
import { hostOf } from "./host.ts";
import { OutputFolder } from "./output_folder.ts";

/** Models that take no training of bags: of the mean, which is always there, and retrieval. */
export const HOST_MODELS: readonly string[] = ["mean", "retrieval"];

/** What is asked for. */
export interface MilRequest {
  readonly method: FoldMethod;
  readonly files: CohortFiles;
  /** Of {@linkcode HOST_MODELS} and the method's. */
  readonly models: readonly string[];
  readonly caseSlides: CaseSlides;
  /** Draws of the intervals. */
  readonly draws: number;
  /** Of the intervals, and the first that models are trained from. */
  readonly seed: number;
  /** Seeds that every model is trained from on every fold. */
  readonly seeds: number;
  /** Keys of the method. */
  readonly keys: ConfigOverrides;
  /** Whether only the cost is told. */
  readonly dryRun: boolean;
  readonly out: string;
  readonly overwrite: boolean;
  /** Settings as the output keeps them. */
  readonly settings: Facts;
}

/** What was found. */
export interface MilResult extends Omit<Evaluated, "found"> {
  /** What is printed of it; missing where it was done before, or only its cost was asked for. */
  readonly found?: CohortResult & { readonly retrieval: readonly NeighbourScores[] };
}

/**
 * Trains and judges, or finds that it was done.
 *
 * @throws {ConfigError | DataError | FormatError} Naming what cannot be used; nothing is left then.
 * @throws {InterruptedError} If a signal came; what was trained is kept.
 */
export async function mil(request: MilRequest, machine: RunMachine): Promise<MilResult> {
  const { method, files, draws, seed, out, overwrite, settings } = request;
  const { reporter } = machine;
  checkModels(request);
  checkFolder(out);
  const opened = openCohort(files);
  // Keys are refused before anything is read.
  runsOf({ ...planOf(request), folds: opened.table.folds.slice(0, 1), slides: new Set() });
  using folder = OutputFolder.open({
    out,
    command: "mil",
    result: RESULT,
    names: [SCORES, PREDICTIONS, RUNS, EVIDENCE.report],
    facts: { ...settings, ...await cohortFacts(files, opened) },
    overwrite,
  });
  if (folder.finished) {
    reporter.say(`${folder.path}/${RESULT}: is there`);
    return folder.finished;
  }
  const loaded = await load(opened, request, machine);
  for (const text of [...loaded.notes, ...leftOutTexts(loaded)]) reporter.warn(text);
  const plan = { ...planOf(request), ...partsOf(loaded), out: folder.path };
  const runs = runsOf(plan);
  const gpu = runs.length === 0 ? undefined : await runAll({ ...request, plan, runs, folder }, machine);
  if (request.dryRun) return { json: { runs: runs.length }, status: 0 };
  const trained = trainedModels(plan, runs, loaded.cohort);
  const found = await judge(loaded, { draws, seed, trained }, machine);
  const retrieval = request.models.includes("retrieval")
    ? neighbourScores(loaded.cohort, loaded.sources, found.judged)
    : [];
  return {
    ...await write(
      folder,
      { loaded, found, retrieval, runs, models: method.folds.models, madeOf: cohortMadeOf(loaded, seed, gpu) },
      machine,
    ),
    found: { ...found, retrieval },
  };
}

function planOf(
  { method, files, models, caseSlides, seed, seeds, keys, out, overwrite }: MilRequest,
): Omit<RunPlan, "folds" | "slides"> {
  return {
    method,
    files,
    models: models.filter((name) => !HOST_MODELS.includes(name)),
    caseSlides,
    seeds: Array.from({ length: seeds }, (_, s) => seed + s),
    keys,
    out,
    overwrite,
  };
}

/** Folds that can be trained on and judged, and slides that take part. */
function partsOf({ cohort }: LoadedCohort): Pick<RunPlan, "folds" | "slides"> {
  return {
    folds: cohort.folds.filter((fold) => openFold(cohort, fold).truth !== undefined).map(({ name }) => name),
    slides: new Set(cohort.units.flatMap(({ slides }) => slides)),
  };
}

function checkModels({ models, method }: Pick<MilRequest, "models" | "method">): void {
  const known = [...HOST_MODELS, ...Object.keys(method.folds.models)];
  const unknown = models.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new ConfigError(`Cannot train ${unknown}: there is no such model, wanted some of ${known.join(", ")}`, {
    hint: `--model ${known.join(",")}`,
    context: { given: unknown, known },
  });
}

/** Says the cost and trains. @returns The device, which may be closed. */
async function runAll(
  { plan, runs, folder, dryRun }: {
    readonly plan: RunPlan;
    readonly runs: readonly FoldRun[];
    readonly folder: OutputFolder;
    readonly dryRun: boolean;
  },
  machine: RunMachine,
): Promise<Gpu> {
  const gpu = await machine.openGpu();
  try {
    const data = new FoldData(plan, hostOf(machine.reporter, machine.signal));
    for (const line of await costOf(plan, runs, data, machine, gpu)) machine.reporter.say(line);
    if (dryRun) return gpu;
    folder.begin();
    await trainRuns(plan, runs, data, machine, gpu);
    return gpu;
  } finally {
    if (!machine.keepGpu) gpu.destroy();
  }
}

/** Writes tables, page and result. */
async function write(
  folder: OutputFolder,
  { loaded, found, retrieval, runs, models, madeOf }: {
    readonly loaded: LoadedCohort;
    readonly found: CohortResult;
    readonly retrieval: readonly NeighbourScores[];
    readonly runs: readonly FoldRun[];
    readonly models: Readonly<Record<string, string>>;
    readonly madeOf: string;
  },
  { reporter }: Pick<RunMachine, "reporter">,
): Promise<Pick<MilResult, "json" | "status">> {
  const problems = problemTexts(found);
  for (const text of problems) reporter.warn(text);
  const warnings = [...leftOutTexts(loaded), ...problems];
  const status = warnings.length > 0 ? INCOMPLETE : 0;
  const { path } = folder;
  folder.begin();
  writeTables(path, found);
  const content = {
    made_of: madeOf,
    ...cohortJson(found),
    ...(retrieval.length > 0 && { retrieval }),
    sources: loaded.sources.map(({ name, x }) => ({ name, dim: x.columns })),
    runs: runs.map(({ source, model, fold, seed, folder: at }) => ({
      source,
      model,
      label: models[model],
      fold,
      seed,
      folder: at.slice(path.length + 1),
    })),
    left_out: loaded.leftOut,
    notes: loaded.notes,
    warnings,
  };
  await writeFolds({ path, disk }, content);
  return { json: folder.finish(content, status), status };
}
