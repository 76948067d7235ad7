/**
 * Data for a trained run: which samples, their organs, and their expression in the columns of the run's vocabulary.
 *
 * @module
 */

import { ConfigError, DataError } from "../core/errors.ts";
import { findSamples, type ReadDisk, type SampleFiles } from "../data/data_folder.ts";
import { assignRoles } from "../data/holdout.ts";
import { openTrainingSet } from "../data/open_training_set.ts";
import { type PlanOptions, planTrainingSet } from "../data/plan_training_set.ts";
import { isNote } from "../data/sample_checks.ts";
import type { TrainingSet } from "../data/training_set.ts";
import { disk } from "../io/fs.ts";
import { organId, ORGANS } from "../models/organ_token.ts";
import type { Lenience, RunDataOptions } from "../train/pair_data.ts";
import type { Reporter } from "../core/reporter.ts";
import { ofTraining, type OpenedRun } from "./open.ts";

/** What is read for a run. */
export interface RunData {
  /** Data folders; the run's own by default. */
  readonly folders: readonly string[];
  /** Samples by identifier; of other folders all, of the run's own those it held out. */
  readonly samples?: readonly string[] | undefined;
  /** Where counts are and what is let pass, beside what the run's configuration says. */
  readonly expression?: Lenience;
  /** Where the folders are; the host's disk by default. */
  readonly disk?: ReadDisk | undefined;
}

/** Names of a list as `--samples` and `--classes` take it. */
export function namesOf(text: string | undefined): string[] | undefined {
  return text?.split(",").map((id) => id.trim()).filter(Boolean);
}

/**
 * Files of the samples that are asked for.
 *
 * @param run Its folder, for the hint.
 * @param own How the run's own data were chosen.
 * @throws {ConfigError} If one is not there, or the run's own are asked for and it held none out.
 */
export async function samplesOf(
  run: string,
  own: RunDataOptions,
  { folders, samples }: RunData,
): Promise<SampleFiles[]> {
  const find = () => planTrainingSet(disk, runDataOptions(own, { folders, samples })).order;
  return [...await (folders.length > 0 ? find() : ofTraining(run, "data", own.folders, find))];
}

function chosenSamples(own: RunDataOptions, { folders, samples }: RunData): readonly string[] | undefined {
  const chosen = samples ?? (folders.length === 0 ? heldOutOf(own) : undefined);
  if (chosen?.length !== 0) return chosen;
  throw new ConfigError("Cannot evaluate the run on its own data: it held nothing out", {
    hint: "Name data with --data, or samples with --samples",
  });
}

/** Samples that a run held out, of its own folders. */
export function heldOutOf({ folders, samples, select, holdOut = {} }: RunDataOptions): string[] {
  const files = findSamples(disk, folders).filter((file) =>
    (select?.(file) ?? true) && (samples === undefined || samples.includes(file.id))
  );
  const infos = files.map(({ id, metadata }) => ({
    id,
    dataset: metadata?.text("dataset_title"),
    patient: metadata?.text("patient"),
  }));
  const roles = assignRoles(infos, holdOut);
  return files.map(({ id }) => id).filter((id) => roles.get(id) !== "train");
}

/** Which samples are read for a run. */
function runDataOptions(own: RunDataOptions, data: RunData): PlanOptions {
  return {
    folders: data.folders.length === 0 ? own.folders : data.folders,
    samples: chosenSamples(own, data),
    allowDenied: own.allowDenied,
    withoutPatches: "skip",
    allowLeakage: true,
  };
}

/**
 * Opens data in the columns of a run's vocabulary, prepared as at training.
 *
 * @throws {ConfigError} If the run's own folders are asked for and it held nothing out.
 */
export async function openRunData(
  { data, model }: Pick<OpenedRun, "data" | "model">,
  { folders, samples, expression, disk: place = disk }: RunData,
  progress: Reporter,
  signal?: AbortSignal,
): Promise<TrainingSet> {
  const own = data(expression);
  const set = await openTrainingSet(place, {
    ...runDataOptions(own, { folders, samples }),
    genes: { vocabulary: model.vocabulary },
    layer: own.layer,
    load: own.load,
    leastCoverage: own.leastCoverage,
    findDuplicates: false,
    signal,
    onSample: (done, total, id) => progress.update(`read ${id}`, done, total, "slides"),
  });
  for (const line of set.warnings) isNote(line) ? progress.say(line) : progress.warn(line);
  return set;
}

/**
 * Number of the organ of a sample.
 *
 * @param given `--organ`, which wins.
 * @throws {DataError} If the metadata name none.
 */
export function organOf({ id, metadata }: Pick<SampleFiles, "id" | "metadata">, given: string | undefined): number {
  const text = given ?? metadata?.text("organ");
  if (text !== undefined) return organId(text);
  throw new DataError(`Cannot embed images of ${id}: the model has an organ token and the metadata name no organ`, {
    hint: `Pass --organ, one of ${ORGANS.join(", ")}`,
    context: { sample: id },
  });
}
