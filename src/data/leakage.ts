/**
 * What would let a model see its test set in training: said before training starts, not after.
 *
 * @module
 */

import { DataError } from "../core/errors.ts";
import { SAME_SPECIMEN } from "./deny_list.ts";
import { donorGroups, known, type SampleInfo } from "./donors.ts";
import type { Duplicate } from "./duplicates.ts";
import type { Split } from "./splits.ts";

/** What was found in one split. */
export interface LeakageReport {
  readonly split: string;
  /** Whether nothing of `samples`, `donors` and `duplicates` was found. */
  readonly clean: boolean;
  /** Samples on both sides. */
  readonly samples: readonly string[];
  /** Donors on both sides, with their samples there. */
  readonly donors: readonly {
    readonly key: string;
    readonly train: readonly string[];
    readonly test: readonly string[];
  }[];
  /** Equal content on both sides. */
  readonly duplicates: readonly Duplicate[];
  /** Test samples that may share a donor with training: their dataset is trained on, and one of both names no patient. */
  readonly unverified: readonly string[];
  /** Samples of the split that the catalogue lacks. */
  readonly unknown: readonly string[];
}

/** Looks at one split. */
export function leakage(
  split: Split,
  samples: readonly SampleInfo[],
  duplicates: readonly Duplicate[] = [],
): LeakageReport {
  const train = new Set(split.train);
  const test = new Set(split.test);
  const info = new Map(samples.map((sample) => [sample.id, sample]));
  const donors = donorGroups(samples, SAME_SPECIMEN).map(({ key, samples: ids }) => ({
    key,
    train: ids.filter((id) => train.has(id)),
    test: ids.filter((id) => test.has(id)),
  })).filter((group) => group.train.length > 0 && group.test.length > 0);
  const across = duplicates.filter(({ a, b }) => (train.has(a) && test.has(b)) || (train.has(b) && test.has(a)));
  const both = split.test.filter((id) => train.has(id));
  return {
    split: split.name,
    clean: both.length + donors.length + across.length === 0,
    samples: both,
    donors,
    duplicates: across,
    unverified: unverified(split, info),
    unknown: [...new Set([...split.train, ...split.test])].filter((id) => !info.has(id)),
  };
}

function unverified(split: Split, info: ReadonlyMap<string, SampleInfo>): string[] {
  const dataset = (id: string): string | undefined => known(info.get(id)?.dataset)?.toLowerCase();
  const named = (id: string): boolean => known(info.get(id)?.patient) !== undefined;
  const trained = new Set(split.train.map(dataset));
  const unnamed = new Set(split.train.filter((id) => !named(id)).map(dataset));
  return split.test.filter((id) => {
    const of = dataset(id);
    return of === undefined ? !named(id) : unnamed.has(of) || (trained.has(of) && !named(id));
  });
}

/** Pairs of samples that are named. */
const SHOWN = 10;

const list = (ids: readonly string[]): string => ids.slice(0, 5).join(", ") + (ids.length > 5 ? ", …" : "");

/** What is said of tested samples that may be of donors trained on; nothing where there are none. */
function describeUnverified(ids: readonly string[]): string[] {
  if (ids.length === 0) return [];
  return [`cannot tell the donors of ${list(ids)} from those trained on: name each sample's patient in metadata/`];
}

/**
 * One line for each finding of several splits; what is not known of a sample is said once.
 *
 * @param told Words for a finding of one split.
 */
export function describeSplits(
  reports: readonly LeakageReport[],
  told = (line: string, _report: LeakageReport): string => line,
): string[] {
  const once = (of: "unverified" | "unknown") => [...new Set(reports.flatMap((report) => report[of]))].sort();
  const found = reports.flatMap((report) =>
    describeLeakage({ ...report, unverified: [], unknown: [] }).map((line) => told(line, report))
  );
  return [...found, ...describeUnverified(once("unverified")), ...describeUnknown(once("unknown"))];
}

function describeUnknown(ids: readonly string[]): string[] {
  return ids.length > 0 ? [`no metadata for ${list(ids)}`] : [];
}

/** One line for each finding. */
export function describeLeakage(report: LeakageReport): string[] {
  return [
    ...report.samples.map((id) => `${id} is trained and tested on`),
    ...report.donors.map(({ key, train, test }) => `donor ${key}: ${list(train)} trained, ${list(test)} tested`),
    ...report.duplicates.slice(0, SHOWN).map(({ a, b, kind, share }) =>
      `${a} and ${b} are ${kind === "spots" ? `${(100 * share).toFixed(0)} % the same spots` : `of equal ${kind}`}`
    ),
    ...(report.duplicates.length > SHOWN
      ? [`${report.duplicates.length - SHOWN} more pairs of samples share content`]
      : []),
    ...describeUnverified(report.unverified),
    ...describeUnknown(report.unknown),
  ];
}

/**
 * Refuses a split that leaks.
 *
 * @throws {DataError} If samples, donors or content are on both sides.
 */
export function refuseLeakage(report: LeakageReport): void {
  if (report.clean) return;
  throw new DataError(`Cannot train on ${report.split}: ${describeLeakage(report)[0]}, on one side only wanted`, {
    code: "leakage",
    hint:
      "Hold out whole donors with holdout_donors; samples named with holdout_samples may be of a donor that trains too",
    context: { ...report },
  });
}
