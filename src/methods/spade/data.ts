/**
 * The data of a run: pairs of stored features and expression. A sample's features are joined to its spots by barcode.
 *
 * @module
 */

import { ConfigError, DataError } from "../../core/errors.ts";
import { findSamples } from "../../data/data_folder.ts";
import { checkFacts, type FeatureFacts, featureFacts } from "../../data/feature_facts.ts";
import { openTrainingSet, type TrainingSetOptions } from "../../data/open_training_set.ts";
import { planTrainingSet } from "../../data/plan_training_set.ts";
import { isNote } from "../../data/sample_checks.ts";
import type { TrainingSample, TrainingSet } from "../../data/training_set.ts";
import { panelOf, type ReportPanel, wantedPanel } from "../../evidence/panel.ts";
import { featureFilesOf } from "../../io/feature_folder.ts";
import { checkContent, type Features, openFeatures } from "../../io/features.ts";
import type { FilesMark, Host } from "../../train/host.ts";
import { genesOf, readOptions } from "../../train/pair_data.ts";
import type { SpadeConfig } from "./config.ts";

/** Data that are open. */
export interface SpadeData {
  readonly set: TrainingSet;
  readonly panel: ReportPanel;
  /** Width of a feature vector. */
  readonly dim: number;
  /** Features of all pairs, `[count, dim]`. */
  readonly features: Float32Array<ArrayBuffer>;
  /** What made them. */
  readonly facts: FeatureFacts;
  /** Organ of each sample; "all" where the metadata do not name it. */
  readonly organs: readonly string[];
  readonly mark: FilesMark;
}

function optionsOf(config: SpadeConfig, host: Pick<Host, "disk" | "checkFile">): TrainingSetOptions {
  return {
    ...readOptions(config),
    genes: genesOf(config, host),
    panel: wantedPanel(config, host.disk),
    // Samples named by hand may be of a donor that trains too, as serial sections are; the report says so.
    allowLeakage: config.split.holdout_samples.length > 0,
  };
}

/** Refuses what can be checked before samples are read: names, places, a feature file of each sample. */
export async function check(config: SpadeConfig, host: Host): Promise<void> {
  const { input: { data, features, exclude_samples }, genes } = config;
  for (const [key, value, hint] of [["data", data, "--data DIR"], ["features", features, "--features DIR"]] as const) {
    if (value.length > 0) continue;
    throw new ConfigError(`Cannot train: ${key} is empty, wanted where they are`, { hint, context: { key } });
  }
  if (genes.gene_list !== null) (await host.openFile(genes.gene_list)).close?.();
  const { order } = planTrainingSet(host.disk, optionsOf(config, host));
  filesOf(config, host, order.map(({ id }) => id));
  const found = new Set(findSamples(host.disk, data).map(({ id }) => id));
  const unknown = exclude_samples.filter((id) => !found.has(id));
  if (unknown.length > 0) host.reporter.warn(`exclude_samples: the folders have no ${unknown.join(", ")}`);
}

/** The feature file of each sample. @throws {DataError} If one has none. */
function filesOf({ input }: SpadeConfig, { disk }: Pick<Host, "disk">, ids: readonly string[]): string[] {
  const files = featureFilesOf(disk, input.features);
  const missing = ids.filter((id) => !files.has(id));
  if (missing.length > 0) {
    throw new DataError(
      `Cannot use features of ${input.features.join(", ")}: ${missing.length} of ${ids.length} samples have no file ` +
        `(${missing.slice(0, 5).join(", ")}${missing.length > 5 ? ", ..." : ""}), expected one each`,
      {
        code: "features-missing",
        hint: "Embed their patches, or leave the samples out with exclude_samples",
        context: { missing: missing.slice(0, 100) },
      },
    );
  }
  return ids.map((id) => files.get(id)!);
}

/**
 * Opens the data: every feature is read once, and is a finite number.
 *
 * @throws {DataError} Naming file and row of what does not fit.
 */
export async function openData(config: SpadeConfig, host: Host): Promise<SpadeData> {
  const { disk, reporter, signal } = host;
  const set = await openTrainingSet(disk, {
    ...optionsOf(config, host),
    signal,
    onSample: (done, total, id) => reporter.update(`read ${id}`, done, total, "slides"),
  });
  for (const line of set.warnings) isNote(line) ? reporter.say(line) : reporter.warn(line);
  const paths = filesOf(config, host, set.samples.map(({ id }) => id));
  const mark = await host.markFiles(paths);
  let all: { dim: number; features: Float32Array<ArrayBuffer>; facts: FeatureFacts; first: string } | undefined;
  for (const [i, sample] of set.samples.entries()) {
    signal?.throwIfAborted();
    const file = await openFeatures(disk.open(paths[i]!, "read"));
    try {
      all ??= {
        dim: file.dim,
        features: new Float32Array(set.count * file.dim),
        facts: featureFacts(file),
        first: paths[i]!,
      };
      if (file.dim !== all.dim) throw widthError(paths[i]!, file.dim, all);
      checkFacts(all.facts, featureFacts(file), paths[i]!);
      all.features.set(await joined(file, paths[i]!, sample), sample.first * all.dim);
    } finally {
      file.close();
    }
  }
  const organs = set.samples.map(({ files }) => files.metadata?.text("organ") ?? "all");
  const { dim, features, facts } = all!;
  return { set, panel: panelOf(config, set), dim, features, facts, organs, mark };
}

function widthError(path: string, found: number, { dim, first }: { dim: number; first: string }): DataError {
  return new DataError(
    `Cannot use features of ${path}: rows of ${found} numbers, expected ${dim} as in ${first}`,
    {
      code: "features-width",
      hint: "Features of one run come from one encoder",
      context: { file: path, found, expected: dim },
    },
  );
}

/** Features of a sample's pairs in their order, `[count, dim]`. */
async function joined(file: Features, path: string, { id, barcodes }: TrainingSample): Promise<Float32Array> {
  const refuse = (code: string, found: string, expected: string, hint: string): DataError =>
    new DataError(`Cannot use features of ${path}: ${found}, expected ${expected}`, {
      code,
      hint,
      context: { file: path, sample: id, found, expected },
    });
  if (file.barcodes === undefined) {
    const hint = "Embed the sample's patch file, which names its rows";
    throw refuse("features-barcodes", "its rows have no names", "a barcode a row", hint);
  }
  const place = new Map(file.barcodes.map((name, row) => [name, row]));
  if (place.size < file.count) {
    const twice = file.barcodes.find((name, row) => place.get(name) !== row)!;
    throw refuse("features-barcodes", `barcode ${twice} stands twice`, "each once", "Embed the sample again");
  }
  const rows = await file.read();
  await checkContent(file, rows);
  const out = new Float32Array(barcodes.length * file.dim);
  for (const [i, barcode] of barcodes.entries()) {
    const row = place.get(barcode);
    if (row === undefined) {
      const hint = "Embed the very patches that lie beside the counts";
      throw refuse("features-barcodes", `no row of barcode ${barcode} of ${id}`, "one for every pair", hint);
    }
    const values = rows.subarray(row * file.dim, (row + 1) * file.dim);
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      const found = `row ${row}, column ${bad} is ${values[bad]}`;
      throw refuse("features-nan", found, "a finite number", "Embed that sample again with --overwrite");
    }
    out.set(values, i * file.dim);
  }
  return out;
}
