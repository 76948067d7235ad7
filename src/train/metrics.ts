/**
 * Metrics of a run, in three forms of the same numbers: `metrics.jsonl` (one object a logged step), `metrics.csv`, and
 * TensorBoard's `events.out.tfevents.0`. What depends on the clock, `samples_per_second` among it, goes into `timing.jsonl`:
 * the three others are functions of configuration, data and seed, so that a run that was killed and resumed leaves the same
 * bytes as one that never stopped. For the same reason events carry the step as their time.
 *
 * A checkpoint keeps length and checksum of the files; a resumed run compares them, cuts the files back and goes on.
 *
 * @module
 */

import { assert, DataError } from "../core/errors.ts";
import { csvLine, shortF32 } from "../io/csv.ts";
import { damaged, type FileMark, isMark } from "../io/checksum.ts";
import type { Disk, HostFile } from "../io/disk.ts";
import { fileVersionRecord, scalarRecord } from "../io/tfevents.ts";
import { Sha256 } from "../host/zlib.ts";

/** Names of the files below the run folder. */
export const METRIC_FILES = {
  jsonl: "metrics.jsonl",
  csv: "metrics.csv",
  tfevents: "events.out.tfevents.0",
  timing: "timing.jsonl",
} as const;

type Form = keyof typeof METRIC_FILES;

/** Lengths and checksums of the files. */
export type MetricMarks = { readonly [F in Form]: FileMark };

/** What every row says of itself. */
const HEAD = ["step", "epoch", "stage", "split"] as const;

/** One logged step, or one evaluation. */
export interface MetricRow {
  /** Optimiser steps so far, over all stages. */
  readonly step: number;
  /** Epochs so far in the stage. */
  readonly epoch: number;
  /** Name of the stage. */
  readonly stage: string;
  /** `train`, or what was evaluated. */
  readonly split: string;
  /** Numbers by column; those that are left out are not written. NaN is null in JSON and nan in CSV. */
  readonly values: Readonly<Record<string, number>>;
}

/** Options of {@linkcode MetricsWriter.open}. */
export interface MetricsOptions {
  /** Numbers of a row, in the order they are written, behind step, epoch, stage and split. */
  readonly columns: readonly string[];
  /**
   * What the files of an earlier run are cut back to; without it, files are begun anew. Runs of earlier versions have lengths
   * only, which leave their content unchecked.
   */
  readonly resumeAt?: { readonly [F in Form]: FileMark | number } | undefined;
  /** The file that says so, for errors. */
  readonly keeper?: string;
}

/** A file with the checksum of what it holds. */
interface Logged {
  readonly file: HostFile;
  readonly hash: Sha256;
}

type Files = Readonly<Record<Form, Logged>>;

/** Appends to the metric files of a run. */
export class MetricsWriter {
  readonly #files: Files;
  readonly #columns: readonly string[];

  private constructor(files: Files, columns: readonly string[]) {
    this.#files = files;
    this.#columns = columns;
  }

  /**
   * Opens the files.
   *
   * @param folder Exists.
   * @throws {DataError} If a file cannot be opened or, to be resumed, is not what it was or has other columns.
   */
  static open(disk: Disk, folder: string, options: MetricsOptions): MetricsWriter {
    const { columns, resumeAt, keeper = "the checkpoint" } = options;
    assert(new Set([...HEAD, ...columns]).size === HEAD.length + columns.length, "metric columns are unique");
    const header = new TextEncoder().encode(csvLine([...HEAD, ...columns]));
    const opened: HostFile[] = [];
    try {
      const files = Object.fromEntries(
        Object.entries(METRIC_FILES).map(([form, name]) => {
          const file = disk.open(`${folder}/${name}`, resumeAt ? "update" : "create");
          opened.push(file);
          return [form, { file, hash: new Sha256() }];
        }),
      ) as Files;
      if (resumeAt) cutBack(files, resumeAt, header, keeper);
      else {
        append(files.csv, header);
        append(files.tfevents, fileVersionRecord());
      }
      return new MetricsWriter(files, columns);
    } catch (error) {
      for (const file of opened) file.close();
      throw error;
    }
  }

  /** Appends a row to the three forms. */
  write({ step, epoch, stage, split, values }: MetricRow): void {
    const unknown = Object.keys(values).find((name) => !this.#columns.includes(name));
    assert(unknown === undefined, `${unknown} is a column of the metrics`);
    const given = this.#columns.filter((name) => values[name] !== undefined);
    const fields = given.map((name) => `${JSON.stringify(name)}:${jsonNumber(values[name]!)}`);
    const head = `"step":${step},"epoch":${jsonNumber(epoch)},"stage":${JSON.stringify(stage)}`;
    append(this.#files.jsonl, text(`{${[head, `"split":${JSON.stringify(split)}`, ...fields].join(",")}}\n`));
    const cells = this.#columns.map((name) => values[name] === undefined ? "" : csvNumber(values[name]));
    append(this.#files.csv, text(csvLine([step, csvNumber(epoch), stage, split, ...cells])));
    const scalars = Object.fromEntries(given.map((name) => [`${split}/${name}`, values[name]!]));
    append(this.#files.tfevents, scalarRecord({ wallTime: step, step, scalars }));
  }

  /** Appends what depends on the clock, such as `samples_per_second`, to `timing.jsonl`. */
  timing(step: number, values: Readonly<Record<string, number>>): void {
    append(this.#files.timing, text(`${JSON.stringify({ step, ...values })}\n`));
  }

  /** Lengths and checksums of the files now, for a checkpoint; afterwards what they mark outlasts a power cut. */
  marks(): MetricMarks {
    return Object.fromEntries(
      Object.entries(this.#files).map(([form, { file, hash }]) => {
        file.sync();
        return [form, { bytes: file.size(), sha256: hash.hexSoFar() }];
      }),
    ) as MetricMarks;
  }

  /** Closes the files. */
  close(): void {
    for (const { file } of Object.values(this.#files)) file.close();
  }
}

function text(line: string): Uint8Array {
  return new TextEncoder().encode(line);
}

function append({ file, hash }: Logged, bytes: Uint8Array): void {
  file.write(file.size(), bytes);
  hash.update(bytes);
}

/** Bytes compared at once. */
const BLOCK = 1 << 20;

function cutBack(
  files: Files,
  marks: NonNullable<MetricsOptions["resumeAt"]>,
  header: Uint8Array,
  keeper: string,
): void {
  const complain = ({ name }: HostFile, found: string, wanted: string) => {
    throw new DataError(`Cannot resume ${name}: it has ${found}, wanted ${wanted}`, {
      code: "metrics-damaged",
      hint: RESTORE,
      context: { file: name },
    });
  };
  const each = Object.entries(files).map(([form, logged]) => {
    const mark: unknown = marks[form as Form];
    const bytes = isMark(mark) ? mark.bytes : mark as number;
    return { ...logged, bytes, sha256: isMark(mark) ? mark.sha256 : undefined };
  });
  // Nothing is cut before all of them are known to be whole.
  for (const { file, bytes, hash, sha256 } of each) {
    if (!Number.isSafeInteger(bytes) || bytes < 0) complain(file, `no length in ${keeper}`, "bytes and a SHA-256");
    if (file.size() < bytes) complain(file, `${file.size()} bytes`, `the ${bytes} of ${keeper}`);
    const block = new Uint8Array(BLOCK);
    for (let at = 0; at < bytes;) at += hashed(hash, file, at, block.subarray(0, Math.min(BLOCK, bytes - at)));
    if (sha256 !== undefined && hash.hexSoFar() !== sha256) {
      throw damaged(file.name, keeper, { bytes, sha256: hash.hexSoFar() }, { bytes, sha256 }, RESTORE);
    }
  }
  const start = new Uint8Array(header.length);
  const csv = each.find(({ file }) => file === files.csv.file)!;
  if (
    csv.file.read(0, start) < header.length || start.some((byte, i) => byte !== header[i]) || csv.bytes < header.length
  ) {
    complain(csv.file, "other columns", "those of this version");
  }
  for (const { file, bytes } of each) file.truncate(bytes);
}

const RESTORE = "Bring the file back from a copy, or start the run anew with --overwrite";

/** Adds a block of a file to a checksum. @returns Its bytes. */
function hashed(hash: Sha256, file: HostFile, at: number, block: Uint8Array): number {
  file.read(at, block);
  hash.update(block);
  return block.length;
}

/** Numbers from the device are f32: as short as reads back as the same. */
function jsonNumber(value: number): string {
  if (!Number.isFinite(value)) return "null";
  return Math.fround(value) === value ? shortF32(value) : String(value);
}

function csvNumber(value: number): string {
  if (Number.isFinite(value)) return jsonNumber(value);
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}
