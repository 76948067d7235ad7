/**
 * Metrics of a run, in three forms of the same numbers: `metrics.jsonl` (one object a logged step), `metrics.csv`, and
 * TensorBoard's `events.out.tfevents.0`. What depends on the clock, `samples_per_second` among it, goes into `timing.jsonl`:
 * the three others are functions of configuration, data and seed, so that a run that was killed and resumed leaves the same
 * bytes as one that never stopped. For the same reason events carry the step as their time.
 *
 * A checkpoint keeps the lengths of the files; a resumed run cuts them back to those and goes on.
 *
 * @module
 */

import { assert, DataError } from "../core/errors.ts";
import { csvLine, shortF32 } from "../io/csv.ts";
import type { Disk, HostFile } from "../io/disk.ts";
import { fileVersionRecord, scalarRecord } from "../io/tfevents.ts";

/** Names of the files below the run folder. */
export const METRIC_FILES = {
  jsonl: "metrics.jsonl",
  csv: "metrics.csv",
  tfevents: "events.out.tfevents.0",
  timing: "timing.jsonl",
} as const;

/** Lengths of the files, bytes. */
export type MetricLengths = { readonly [F in keyof typeof METRIC_FILES]: number };

/** What every row says of itself. */
const HEAD = ["step", "epoch", "stage", "split"] as const;

/** Numbers of a row, in the order they are written. */
export const METRIC_COLUMNS: readonly string[] = [
  "loss",
  "loss_contrast",
  "loss_recon_gene",
  "loss_recon_img",
  "lr_img",
  "lr_gene",
  "pearson_mean",
  ...["i2g", "g2i"].flatMap((way) => [1, 5, 10].map((k) => `recall_at_${k}_${way}`)),
];

/** One logged step, or one evaluation. */
export interface MetricRow {
  /** Optimiser steps so far, over all stages. */
  readonly step: number;
  /** Epochs so far in the stage. */
  readonly epoch: number;
  /** Which stage: `warmup` or `align`. */
  readonly stage: string;
  /** `train`, or what was evaluated. */
  readonly split: string;
  /** Numbers by column; those that are left out are not written. NaN is null in JSON and nan in CSV. */
  readonly values: Readonly<Record<string, number>>;
}

/** Options of {@linkcode MetricsWriter.open}. */
export interface MetricsOptions {
  /** Columns behind {@linkcode METRIC_COLUMNS}. */
  readonly extra?: readonly string[];
  /** Lengths to cut the files of an earlier run back to; without them, files are begun anew. */
  readonly resumeAt?: MetricLengths | undefined;
}

type Files = Readonly<Record<keyof typeof METRIC_FILES, HostFile>>;

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
   * @throws {DataError} If a file cannot be opened or, to be resumed, is shorter than it was or has other columns.
   */
  static open(disk: Disk, folder: string, { extra = [], resumeAt }: MetricsOptions = {}): MetricsWriter {
    const columns = [...METRIC_COLUMNS, ...extra];
    assert(new Set([...HEAD, ...columns]).size === HEAD.length + columns.length, "metric columns are unique");
    const header = new TextEncoder().encode(csvLine([...HEAD, ...columns]));
    const opened: HostFile[] = [];
    try {
      const files = Object.fromEntries(
        Object.entries(METRIC_FILES).map(([form, name]) => {
          const file = disk.open(`${folder}/${name}`, resumeAt ? "update" : "create");
          opened.push(file);
          return [form, file];
        }),
      ) as Files;
      if (resumeAt) cutBack(files, resumeAt, header);
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

  /** Lengths of the files now, for a checkpoint. */
  lengths(): MetricLengths {
    const { jsonl, csv, tfevents, timing } = this.#files;
    return { jsonl: jsonl.size(), csv: csv.size(), tfevents: tfevents.size(), timing: timing.size() };
  }

  /** Closes the files. */
  close(): void {
    for (const file of Object.values(this.#files)) file.close();
  }
}

function text(line: string): Uint8Array {
  return new TextEncoder().encode(line);
}

function append(file: HostFile, bytes: Uint8Array): void {
  file.write(file.size(), bytes);
}

function cutBack(files: Files, lengths: MetricLengths, header: Uint8Array): void {
  const complain = (file: HostFile, found: string, wanted: string) => {
    throw new DataError(`Cannot resume ${file.name}: it has ${found}, wanted ${wanted}`, {
      code: "metrics-damaged",
      hint: "Start the run anew with --overwrite",
      context: { file: file.name },
    });
  };
  // Nothing is cut before all of them are known to be whole.
  for (const [form, file] of Object.entries(files)) {
    const length = lengths[form as keyof MetricLengths];
    if (!Number.isSafeInteger(length) || length < 0) complain(file, `a length of ${length} in the checkpoint`, "bytes");
    if (file.size() < length) complain(file, `${file.size()} bytes`, `the ${length} of the checkpoint`);
  }
  const start = new Uint8Array(header.length);
  const { csv } = files;
  if (
    csv.read(0, start) < header.length || start.some((byte, i) => byte !== header[i]) || lengths.csv < header.length
  ) {
    complain(csv, "other columns", "those of this version");
  }
  for (const [form, file] of Object.entries(files)) file.truncate(lengths[form as keyof MetricLengths]);
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
