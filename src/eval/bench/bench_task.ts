/**
 * What is evaluated: tasks of HEST-Benchmark as its folder has them, or a data folder in HEST's layout cut into folds here.
 *
 * @module
 */

import { ConfigError, DataError, FormatError } from "../../core/errors.ts";
import { findSamples, type ReadDisk, type SampleFiles } from "../../data/data_folder.ts";
import { readBytes } from "../../io/disk.ts";
import { SAME_SPECIMEN } from "../../data/deny_list.ts";
import { donorGroups, type SampleInfo } from "../../data/donors.ts";
import { describeSplits, leakage } from "../../data/leakage.ts";
import { kFold } from "../../data/splits.ts";
import { decodeText } from "../../io/csv.ts";
import { parseJson } from "../../io/json.ts";
import type { Panel } from "./fold_panel.ts";
import { type BenchSample, heldOutFolds, type LeaveOut, leaveOut, parseBenchSplit } from "./folds.ts";

/** One train and test split, by identifiers of samples in the order they are concatenated. */
export interface TaskFold {
  readonly name: string;
  readonly train: readonly string[];
  readonly test: readonly string[];
}

/** Samples of one person, as far as is known. */
export interface TaskDonor {
  /** Readable name. */
  readonly key: string;
  /** Whether the metadata name the patient; without, others may be of the same. */
  readonly named: boolean;
}

/** A task. */
export interface Task {
  readonly name: string;
  readonly samples: readonly SampleFiles[];
  readonly folds: readonly TaskFold[];
  /** Undefined where each fold chooses from its own training samples. */
  readonly panel: Panel | undefined;
  /** Whether a gene of the panel that a sample lacks stops everything, as in the benchmark; else it is left out. */
  readonly strict: boolean;
  /** Donor of each sample; undefined where nothing is known of them. */
  readonly donors: ReadonlyMap<string, TaskDonor> | undefined;
  readonly warnings: readonly string[];
}

const namesIn = (disk: ReadDisk, path: string): readonly string[] => {
  const entry = disk.look(path);
  return entry?.kind === "folder" ? entry.names : [];
};

const trimmed = (path: string): string => path.replace(/(?<=.)[/\\]+$/, "");

/**
 * Genes of a panel file: `{"genes": [...]}`.
 *
 * @throws {FormatError} If it holds no such list, or a gene twice.
 */
export function readPanel(disk: ReadDisk, path: string): Panel {
  const fail = (found: string, expected: string): FormatError =>
    new FormatError(`Cannot read ${path}: it ${found}, expected ${expected}`, {
      context: { file: path, found, expected },
    });
  const tree = parseJson(
    readBytes(disk, path),
    (offset, found, expected) => fail(`has at ${offset} what ${found}`, expected),
  );
  const genes = (tree as { genes?: unknown } | null)?.genes;
  if (!Array.isArray(genes) || genes.length === 0 || !genes.every((gene) => typeof gene === "string" && gene !== "")) {
    throw fail('holds no list of names under "genes"', "at least one");
  }
  const twice = genes.find((gene, i) => genes.indexOf(gene) < i);
  if (twice !== undefined) throw fail(`names ${twice} twice`, "every gene once");
  return { genes, source: path.split(/[/\\]/).at(-1)!, leftOut: [] };
}

/** Splits of a folder: `train_{i}.csv` with its `test_{i}.csv`, by number. */
function readSplits(disk: ReadDisk, folder: string): { name: string; train: BenchSample[]; test: BenchSample[] }[] {
  const names = namesIn(disk, folder);
  const numbers = names.flatMap((name) => /^train_(\d+)\.csv$/.exec(name)?.[1] ?? []).map(Number).sort((a, b) => a - b);
  return numbers.map((i) => {
    if (!names.includes(`test_${i}.csv`)) {
      throw new DataError(`Cannot use ${folder}: train_${i}.csv has no test_${i}.csv`, {
        context: { folder, split: i },
      });
    }
    const side = (part: "train" | "test") => {
      const path = `${folder}/${part}_${i}.csv`;
      const samples = parseBenchSplit(decodeText(readBytes(disk, path), path), path);
      if (samples.length === 0) {
        throw new DataError(`Cannot use ${path}: it names no sample`, { context: { file: path } });
      }
      return samples;
    };
    return { name: `split${i}`, train: side("train"), test: side("test") };
  });
}

/**
 * Tasks of a benchmark folder: those of its folders that hold `splits/`, or the folder itself.
 *
 * @param only Names of tasks; all where none is given.
 * @throws {ConfigError} If a task is not there.
 * @throws {DataError} If splits or files of samples are missing.
 */
export function benchTasks(disk: ReadDisk, folder: string, only: readonly string[] = []): Task[] {
  const root = trimmed(folder);
  if (disk.look(root) === undefined) {
    throw new DataError(`Cannot find tasks in ${folder}: there is no such folder`, {
      code: "no-tasks",
      hint: "Give the folder bench_data of HEST-Benchmark, or one of its tasks",
      context: { folder },
    });
  }
  const own = namesIn(disk, root).includes("splits");
  const found = own ? [""] : namesIn(disk, root).filter((name) => namesIn(disk, `${root}/${name}`).includes("splits"));
  const named = new Map(found.map((name) => [name || root.split(/[/\\]/).at(-1)!, name ? `${root}/${name}` : root]));
  if (named.size === 0) {
    throw new DataError(`Cannot find tasks in ${folder}: no folder in it has splits/`, {
      code: "no-tasks",
      hint: "Give the folder bench_data of HEST-Benchmark, or one of its tasks",
      context: { folder },
    });
  }
  const missing = only.find((name) => !named.has(name));
  if (missing !== undefined) {
    throw new ConfigError(`Cannot run task ${missing}: ${folder} has ${[...named.keys()].join(", ")}`);
  }
  return [...named].filter(([name]) => only.length === 0 || only.includes(name)).map(([name, path]) =>
    benchTask(disk, name, path)
  );
}

function benchTask(disk: ReadDisk, name: string, folder: string): Task {
  const splits = readSplits(disk, `${folder}/splits`);
  if (splits.length === 0) throw new DataError(`Cannot run task ${name}: ${folder}/splits has no train_*.csv`);
  const files = new Map<string, SampleFiles>();
  for (const { id, patches, expression } of splits.flatMap(({ train, test }) => [...train, ...test])) {
    const paths = { expression: `${folder}/${expression}`, patches: `${folder}/${patches}` };
    const isThere = (path: string) => disk.look(path)?.kind === "file";
    if (disk.look(paths.expression) === undefined) {
      throw new DataError(`Cannot run task ${name}: ${paths.expression} of sample ${id} is missing`, {
        code: "file-missing",
        context: { sample: id, file: paths.expression },
      });
    }
    // Features made before need no patches.
    files.set(id, {
      id,
      folder,
      ...paths,
      patches: isThere(paths.patches) ? paths.patches : undefined,
      metadata: undefined,
    });
  }
  return {
    name,
    samples: [...files.values()],
    folds: splits.map(({ name, train, test }) => ({
      name,
      train: train.map(({ id }) => id),
      test: test.map(({ id }) => id),
    })),
    panel: readPanel(disk, `${folder}/var_50genes.json`),
    strict: true,
    donors: undefined,
    warnings: splits.flatMap(({ name: split, train, test }) =>
      test.filter(({ id }) => train.some((other) => other.id === id)).map(({ id }) =>
        `${split}: ${id} is trained and tested on`
      )
    ),
  };
}

/** How a data folder is cut. */
export interface DataTaskOptions {
  /** Ids of the samples; all by default. */
  readonly samples?: readonly string[] | undefined;
  /** What each fold leaves out; donors by default, unless the folder has `splits/`. */
  readonly leaveOut?: LeaveOut | undefined;
  /** Folds of donors instead of one for each. */
  readonly folds?: number | undefined;
  /** Samples that something compared was trained on: probes are fitted on them, and none of their donors is tested. */
  readonly trained?: ReadonlySet<string> | undefined;
  /** Path of a panel file; else the folder's `var_50genes.json`; else each fold chooses. */
  readonly panel?: string | undefined;
  readonly seed?: number | undefined;
}

/**
 * One task of all samples of data folders.
 *
 * @throws {ConfigError | DataError} If samples cannot be grouped or found.
 */
export function dataTask(disk: ReadDisk, folders: readonly string[], options: DataTaskOptions = {}): Task {
  const { samples: chosen } = options;
  const samples = findSamples(disk, folders).filter(({ id }) => chosen?.includes(id) ?? true);
  const infos: (SampleInfo & { organ?: string | undefined; technology?: string | undefined })[] = samples.map(
    ({ id, metadata }) => ({
      id,
      dataset: metadata?.text("dataset_title"),
      patient: metadata?.text("patient"),
      organ: metadata?.text("organ"),
      technology: metadata?.text("st_technology"),
    }),
  );
  const first = trimmed(folders[0]!);
  const written = options.leaveOut === undefined && options.folds === undefined && options.trained === undefined &&
      folders.length === 1
    ? readSplits(disk, `${first}/splits`).map(({ name, train, test }) => ({
      name,
      train: train.map(({ id }) => id),
      test: test.map(({ id }) => id),
    }))
    : [];
  const known = new Set(samples.map(({ id }) => id));
  const lost = written.flatMap(({ train, test }) => [...train, ...test]).find((id) => !known.has(id));
  if (lost !== undefined && chosen === undefined) {
    throw new DataError(`Cannot use the splits of ${first}: sample ${lost} has no table in st/`);
  }
  // Splits that name samples which are not chosen are of another task.
  const folds = options.trained !== undefined
    ? heldOutFolds(infos, options.trained)
    : written.length > 0 && lost === undefined
    ? written
    : options.folds === undefined
    ? leaveOut(infos, options.leaveOut ?? "donor")
    : kFold(donorGroups(infos, SAME_SPECIMEN), options.folds, options.seed);
  const shipped = `${first}/var_50genes.json`;
  const panel = options.panel ?? (folders.length === 1 && disk.look(shipped)?.kind === "file" ? shipped : undefined);
  const reports = folds.map((fold) => leakage(fold, infos));
  return {
    name: first.split(/[/\\]/).at(-1) ?? "data",
    samples,
    folds,
    panel: panel === undefined ? undefined : readPanel(disk, panel),
    strict: false,
    donors: new Map(
      donorGroups(infos, SAME_SPECIMEN).flatMap(({ key, named, samples }) =>
        samples.map((id) => [id, { key, named }] as const)
      ),
    ),
    // Every fold finds the same where donors are not named: it is said once.
    warnings: describeSplits(reports, (line, { split }) => `${split}: ${line}`),
  };
}
