/**
 * Folds of an evaluation: SEAL's five random ones, HEST-Benchmark's split files, and whole donors, organs or technologies left
 * out.
 *
 * @module
 */

import { ConfigError, FormatError } from "../../core/errors.ts";
import { SAME_SPECIMEN } from "../../data/deny_list.ts";
import { donorGroups, known, type SampleInfo } from "../../data/donors.ts";
import { leaveOneOut, type RowSplit, shuffleSplit, type Split } from "../../data/splits.ts";
import { parseCsv } from "../../io/csv.ts";
import { LEAST_UNITS } from "../paired.ts";

/** SEAL's folds of n rows: `random_state` 0 to 4, 80 % to train on. */
export function sealFolds(rows: number): RowSplit[] {
  return Array.from({ length: 5 }, (_, fold) => shuffleSplit(rows, fold));
}

/** A line of a split file of HEST-Benchmark. */
export interface BenchSample {
  readonly id: string;
  /** Paths below the folder of the task. */
  readonly patches: string;
  readonly expression: string;
}

/**
 * Samples of `train_{i}.csv` or `test_{i}.csv`, in the order of the file.
 *
 * @throws {FormatError} If columns are missing, a sample stands twice, or a path leads outside.
 */
export function parseBenchSplit(text: string, name: string): BenchSample[] {
  const [head, ...records] = parseCsv(text, name);
  const fail = (line: number, found: string, expected: string): never => {
    throw new FormatError(`Cannot read ${name}: line ${line} has ${found}, expected ${expected}`, {
      context: { file: name, line, found, expected },
    });
  };
  const columns = ["sample_id", "patches_path", "expr_path"].map((column) => {
    const at = head?.fields.indexOf(column) ?? -1;
    return at >= 0 ? at : fail(1, head?.fields.join(",") ?? "nothing", `a column ${column}`);
  });
  const seen = new Set<string>();
  return records.map(({ line, fields }) => {
    const [id, patches, expression] = columns.map((at) => fields[at] ?? "") as [string, string, string];
    if (id === "" || seen.has(id)) fail(line, id === "" ? "no sample" : `${id} again`, "a sample, each once");
    seen.add(id);
    for (const path of [patches, expression]) {
      if (path === "" || /^([/\\]|[A-Za-z]:)/.test(path) || path.split(/[/\\]/).includes("..")) {
        fail(line, JSON.stringify(path), "a path inside the task's folder");
      }
    }
    return { id, patches, expression };
  });
}

/** What can be left out as a whole. */
export type LeaveOut = "donor" | "organ" | "technology" | "sample";

/** A sample with what it may be grouped by. */
export interface GroupedSample extends SampleInfo {
  readonly organ?: string | undefined;
  readonly technology?: string | undefined;
}

/**
 * One fold for each donor, organ, technology or sample: it is the test set.
 *
 * @throws {ConfigError} If there are fewer than two, or samples do not say what they are of.
 */
export function leaveOut(samples: readonly GroupedSample[], by: LeaveOut): Split[] {
  if (by === "donor") return leaveOneOut(donorGroups(samples, SAME_SPECIMEN));
  const groups = Map.groupBy(samples, (sample) => by === "sample" ? sample.id : known(sample[by]) ?? "");
  const unknown = groups.get("");
  if (unknown !== undefined) {
    throw new ConfigError(`Cannot leave one ${by} out: ${unknown[0]!.id} does not say which it is of`, {
      hint: `Name it in metadata/${unknown[0]!.id}.json, or pass --leave-out sample`,
      context: { samples: unknown.map(({ id }) => id) },
    });
  }
  if (groups.size < 2) {
    throw new ConfigError(`Cannot leave one ${by} out: all samples are of ${[...groups.keys()].join("") || "none"}`, {
      hint: by === "sample"
        ? "Give more samples with --data"
        : "Pass --leave-out sample, or give more samples with --data",
    });
  }
  return [...groups].map(([name, members]) => {
    const test = new Set(members.map(({ id }) => id));
    return {
      name,
      train: samples.filter(({ id }) => !test.has(id)).map(({ id }) => id),
      test: [...test],
    };
  });
}

/**
 * Folds of donors that nothing compared was trained on: one for each, or one for all where they are too few for an interval
 * over them. Probes are fitted on the samples that were trained on.
 *
 * @param trained Samples that something compared was trained on.
 * @throws {ConfigError} If none was, or no donor is left.
 */
export function heldOutFolds(infos: readonly SampleInfo[], trained: ReadonlySet<string>): Split[] {
  const train = infos.flatMap(({ id }) => (trained.has(id) ? [id] : []));
  const held = donorGroups(infos, SAME_SPECIMEN).filter(({ samples }) => !samples.some((id) => trained.has(id)));
  if (train.length === 0 || held.length === 0) {
    throw new ConfigError(
      `Cannot evaluate runs on ${infos.length} samples: ${
        train.length === 0 ? "they were trained on none of them" : "they were trained on samples of every donor"
      }, wanted donors they were trained on and others`,
      { hint: "Give the runs' own --data, with donors held out in training", context: { trained: train.length } },
    );
  }
  if (held.length < LEAST_UNITS) {
    return [{ name: "held out", train, test: held.flatMap(({ samples }) => samples) }];
  }
  return held.map(({ key, samples }) => ({ name: key, train, test: samples }));
}
