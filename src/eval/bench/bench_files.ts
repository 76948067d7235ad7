/**
 * Result files of HEST-Benchmark, with its names, keys and layout, so that what reads the reference's results reads these.
 *
 * Per fold `results.json`, `summary.json`, `config.json` and predictions; per encoder and task `results_kfold.json`; per task
 * `enc_results.json`; for all `dataset_results.json` and `.csv`. Keys are sorted, indented by 4, and what is not defined is a
 * bare NaN with a `reason` beside it, as Python writes and reads it. In means it counts as 0, where the reference has NaN.
 *
 * Source: `benchmark.py` and `trainer.py` of github.com/mahmoodlab/HEST. Keys beyond the reference's: `spearman_corrs`,
 * `r2_scores_intercept`, `per_sample`, `degenerate`, `alpha`, `solver`.
 *
 * @module
 */

import { csvLine } from "../../io/csv.ts";
import type { Disk } from "../../io/disk.ts";
import { npyHeader } from "../../io/npy.ts";
import type { FoldResult, TaskResult } from "./hest_bench.ts";
import { findProtocol } from "../protocol.ts";
import { deviation, mean, percentile } from "../linalg/statistics.ts";
import type { Table } from "../linalg/table.ts";

/** JSON as Python's `json.dump(sort_keys=True, indent=4)` lays it out; NaN is written bare. */
export function pythonJson(value: unknown, indent = ""): string {
  if (typeof value === "number") {
    return Number.isNaN(value) ? "NaN" : Object.is(value, -0) ? "-0.0" : pythonNumber(value);
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value ?? null);
  const inner = `${indent}    `;
  const [open, close, items] = Array.isArray(value)
    ? ["[", "]", value.map((item) => inner + pythonJson(item, inner))]
    : [
      "{",
      "}",
      Object.entries(value).filter(([, item]) => item !== undefined).sort(([a], [b]) => a < b ? -1 : 1).map(
        ([key, item]) => `${inner}${JSON.stringify(key)}: ${pythonJson(item, inner)}`,
      ),
    ];
  return items.length === 0 ? open + close : `${open}\n${items.join(",\n")}\n${indent}${close}`;
}

function pythonNumber(value: number): string {
  if (value === Infinity) return "Infinity";
  return value === -Infinity ? "-Infinity" : String(value);
}

const orNaN = (values: readonly (number | null)[]): number[] => values.map((value) => value ?? NaN);
const orZero = (values: readonly (number | null)[]): number[] => values.map((value) => value ?? 0);
/** What is defined, so that one constant gene does not take the quartiles with it. */
const defined = (values: readonly (number | null)[]): number[] => values.filter((value) => value !== null);

/** `results.json` of a fold. */
export function foldResults({ result, panel }: FoldResult): Record<string, unknown> {
  const { perGene, perSlide, model } = result;
  const [errors, r2] = [perGene.map(({ mse }) => mse), perGene.map((gene) => gene.r2)];
  const corr = perGene.map((gene) => gene.pearson);
  return {
    l2_errors: errors,
    r2_scores: orNaN(r2),
    pearson_corrs: perGene.map(({ gene, pearson, reason }) => ({ name: gene, pearson_corr: pearson ?? NaN, reason })),
    pearson_mean: result.pearsonMean,
    pearson_std: deviation(orZero(corr)),
    l2_error_q1: percentile(errors, 25),
    l2_error_q2: percentile(errors, 50),
    l2_error_q3: percentile(errors, 75),
    r2_score_q1: percentile(defined(r2), 25),
    r2_score_q2: percentile(defined(r2), 50),
    r2_score_q3: percentile(defined(r2), 75),
    spearman_corrs: perGene.map(({ gene, spearman, reason }) => ({
      name: gene,
      spearman_corr: spearman ?? NaN,
      reason,
    })),
    spearman_mean: result.spearmanMean,
    r2_scores_intercept: orNaN(perGene.map(({ r2Intercept }) => r2Intercept)),
    per_sample: perSlide.map(({ slide, spots, pearsonMean, spearmanMean, undefinedGenes }) => ({
      sample_id: slide,
      n: spots,
      pearson_mean: pearsonMean,
      spearman_mean: spearmanMean,
      undefined_genes: undefinedGenes,
    })),
    per_sample_pearson_mean: result.slidePearsonMean,
    degenerate: result.degenerate.map(({ gene, reason }) => ({ name: gene, reason })),
    alpha: model.alpha,
    alpha_search: model.chosen && { by: model.chosen.by, folds: model.chosen.folds, at_edge: model.chosen.atEdge },
    components: model.components,
    rank: model.rank,
    solver: model.solver,
    gene_list: panel.source,
  };
}

/** `results_kfold.json` of an encoder on a task. */
export function kfoldResults({ folds }: TaskResult): Record<string, unknown> {
  const byGene = new Map<string, number[]>();
  for (const { result } of folds) {
    for (const { gene, pearson } of result.perGene) byGene.set(gene, [...byGene.get(gene) ?? [], pearson ?? NaN]);
  }
  const genes = [...byGene].map(([name, values]) => {
    const counted = values.map((value) => Number.isNaN(value) ? 0 : value);
    return { name, pearson_corrs: values, mean: mean(counted), std: deviation(counted) };
  });
  const perSplit = folds.map(({ result }) => result.pearsonMean);
  return {
    pearson_corrs: genes.sort((a, b) => b.mean - a.mean),
    pearson_mean: mean(perSplit),
    pearson_std: deviation(perSplit),
    mean_per_split: perSplit,
  };
}

/** A name that every file system takes. */
export function safeName(name: string): string {
  return name.replace(/[^\w.+=-]+/g, "_").replace(/^\.+/, "_").slice(0, 120) || "_";
}

/** Writes a two-dimensional f64 array. */
function writeTable(disk: Disk, path: string, { rows, columns, data }: Table): void {
  const values = Float64Array.from(data);
  disk.writeChunks(path, [npyHeader("f8", [rows, columns]), new Uint8Array(values.buffer)]);
}

/** Where files go. */
export interface BenchOutput {
  readonly disk: Disk;
  readonly folder: string;
  makeFolder(path: string): void;
}

/** Writes the files of one encoder on one task. */
export function writeTaskFiles(
  { disk, folder, makeFolder }: BenchOutput,
  result: TaskResult,
): void {
  const base = `${folder}/${safeName(result.task)}/${safeName(result.encoder)}`;
  for (const [i, fold] of result.folds.entries()) {
    const at = `${base}/split${i}`;
    makeFolder(at);
    const results = foldResults(fold);
    const { nTrain, nTest, model } = fold.result;
    disk.write(`${at}/results.json`, pythonJson(results));
    disk.write(`${at}/summary.json`, pythonJson({ n_train: nTrain, n_test: nTest, ...results }));
    const { standardise, truth, alpha } = findProtocol(result.protocol);
    const reduced = model.solver.startsWith("pca");
    const config = {
      dataset: result.task,
      encoder: result.encoder,
      protocol: result.protocol,
      gene_list: fold.panel.source,
      genes: fold.panel.genes,
      method: "ridge",
      alpha: model.alpha,
      alpha_rule: alpha === "formula" ? "100 / (features x targets)" : `cross-validated over training ${alpha}`,
      fit_intercept: model.intercept,
      dimreduce: reduced ? "PCA" : null,
      latent_dim: reduced ? model.components : null,
      standardize: standardise,
      // The benchmark's word for taking the logarithm; nothing is scaled by depth unless `target` says so.
      normalize: true,
      target: truth,
      split: fold.name,
      ...result.facts,
    };
    disk.write(`${at}/config.json`, pythonJson(config));
    writeTable(disk, `${at}/preds_all.npy`, fold.result.predictions);
    writeTable(disk, `${at}/targets_all.npy`, fold.targets);
  }
  disk.write(`${base}/results_kfold.json`, pythonJson(kfoldResults(result)));
}

/** Writes what compares encoders: `enc_results.json` of each task, and `dataset_results`. */
export function writeSummaries({ disk, folder, makeFolder }: BenchOutput, results: readonly TaskResult[]): void {
  const tasks = [...Map.groupBy(results, ({ task }) => task)].map(([task, list]) => ({
    dataset_name: task,
    results: list.map(({ encoder, pearson }) => ({
      encoder_name: encoder,
      pearson_mean: pearson.mean,
      pearson_std: pearson.std,
    })).sort((a, b) => b.pearson_mean - a.pearson_mean),
  }));
  for (const { dataset_name, results } of tasks) {
    makeFolder(`${folder}/${safeName(dataset_name)}`);
    disk.write(`${folder}/${safeName(dataset_name)}/enc_results.json`, pythonJson({ results }));
  }
  const encoders = [...new Set(tasks.flatMap(({ results }) => results.map((row) => row.encoder_name)))];
  const average = Object.fromEntries(encoders.map((name) => [
    name,
    mean(
      tasks.flatMap(({ results }) => results.filter((row) => row.encoder_name === name).map((row) => row.pearson_mean)),
    ),
  ]));
  disk.write(`${folder}/dataset_results.json`, pythonJson({ results: tasks, average }));
  disk.write(
    `${folder}/dataset_results.csv`,
    csvLine(["", "dataset", ...encoders.flatMap((name) => [`${name}_mean`, `${name}_std`])]) +
      tasks.map(({ dataset_name, results }, i) =>
        csvLine([
          i,
          dataset_name,
          ...encoders.flatMap((name): (string | number)[] => {
            const row = results.find((other) => other.encoder_name === name);
            return row === undefined ? ["", ""] : [row.pearson_mean, row.pearson_std];
          }),
        ])
      ).join(""),
  );
}
