/**
 * What a training set will consist of, by the listing of its folders and the metadata alone: whatever is wrong with names, donors
 * and missing files is reported before a sample is read.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { findSamples, type ReadDisk, type SampleFiles } from "./data_folder.ts";
import { checkDenied } from "./deny_list.ts";
import type { SampleInfo } from "./donors.ts";
import { findDuplicates, type SampleDigest } from "./duplicates.ts";
import { assignRoles, type HoldOuts, type Roles, unknownName } from "./holdout.ts";
import { leakage, type LeakageReport, refuseLeakage } from "./leakage.ts";
import { checkHasPatches } from "./load_sample.ts";

/** Which samples, and for what. */
export interface PlanOptions {
  /** Data folders in HEST's layout. */
  readonly folders: readonly string[];
  /** Samples by identifier; all by default. */
  readonly samples?: readonly string[] | undefined;
  /** Says of a sample by its metadata whether it is wanted. */
  readonly select?: (sample: SampleFiles) => boolean;
  readonly holdOut?: HoldOuts | undefined;
  /** `skip` leaves out samples without patches, with a warning; `error` by default. */
  readonly withoutPatches?: "error" | "skip" | undefined;
  /** Samples of the deny-list that are used all the same. */
  readonly allowDenied?: readonly string[] | undefined;
  /** Warn only when a donor or content is on two sides. */
  readonly allowLeakage?: boolean | undefined;
}

/** Samples with their parts. */
export interface TrainingSetPlan {
  /** Training, validation and test samples, in the order in which they are read. */
  readonly order: readonly SampleFiles[];
  readonly roles: Roles;
  readonly infos: readonly SampleInfo[];
  readonly warnings: readonly string[];
}

/**
 * Chooses the samples and gives each its part.
 *
 * @throws {DataError} If there are no samples, one has no patches (`no-patches`) or is denied, or named donors leak (`leakage`).
 * @throws {ConfigError} If a name is unknown, or a part cannot be drawn.
 */
export function planTrainingSet(disk: ReadDisk, options: PlanOptions): TrainingSetPlan {
  const { files, skipped } = chooseFiles(disk, options);
  const infos = files.map(infoOf);
  const roles = assignRoles(infos, options.holdOut ?? {});
  const order = (["train", "validation", "test"] as const).flatMap((role) =>
    files.filter(({ id }) => roles.get(id) === role)
  );
  const denied = checkDenied(order.map(({ id }) => id), options.allowDenied);
  leakageOf(roles, infos, [], options);
  order.forEach(checkHasPatches);
  return { order, roles, infos, warnings: [...skipped, ...denied] };
}

function infoOf({ id, metadata }: SampleFiles): SampleInfo {
  return { id, dataset: metadata?.text("dataset_title"), patient: metadata?.text("patient") };
}

function chooseFiles(disk: ReadDisk, options: PlanOptions): { files: SampleFiles[]; skipped: string[] } {
  const all = findSamples(disk, options.folders);
  const names = all.map(({ id }) => id);
  const wanted = options.samples === undefined ? undefined : new Set(options.samples);
  for (const id of wanted ?? []) if (!names.includes(id)) throw unknownName("use", "sample", id, names);
  const chosen = all.filter((file) => (wanted?.has(file.id) ?? true) && (options.select?.(file) ?? true));
  const without = options.withoutPatches === "skip" ? chosen.filter(({ patches }) => patches === undefined) : [];
  const files = chosen.filter((file) => !without.includes(file));
  if (files.length === 0) {
    throw new DataError(
      `Cannot train on ${options.folders.join(", ")}: ${all.length} samples, ${chosen.length} chosen, ` +
        `${without.length} of them without patches, at least one wanted`,
      {
        code: "no-samples",
        hint: "samples, exclude_samples, technologies, species and organs choose; the folders have " +
          (names.slice(0, 8).join(", ") || "none"),
        context: { folders: options.folders, samples: names.slice(0, 100) },
      },
    );
  }
  return { files, skipped: without.map(({ id }) => `${id} was left out: it has no patches`) };
}

/** Looks at training against what is held out, and at validation against test. */
export function leakageOf(
  roles: Roles,
  infos: readonly SampleInfo[],
  digests: readonly SampleDigest[],
  options: Pick<PlanOptions, "allowLeakage">,
): LeakageReport[] {
  const duplicates = findDuplicates(digests);
  const of = (role: string) => infos.map(({ id }) => id).filter((id) => roles.get(id) === role);
  const [train, validation, test] = [of("train"), of("validation"), of("test")];
  const splits = [
    { name: "training and held out", train, test: [...validation, ...test] },
    { name: "validation and test", train: validation, test },
  ].filter((split) => split.train.length > 0 && split.test.length > 0);
  const reports = splits.map((split) => leakage(split, infos, duplicates));
  if (options.allowLeakage !== true) reports.forEach(refuseLeakage);
  return reports;
}
