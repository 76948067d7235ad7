/**
 * What `evaluate` prints and writes of its results.
 *
 * @module
 */

import { average, compare, type Comparison } from "../eval/comparison.ts";
import type { Task } from "../eval/bench_task.ts";
import type { FoldResult, Summary, TaskResult } from "../eval/hest_bench.ts";
import { findProtocol } from "../eval/protocol.ts";
import {
  PUBLISHED,
  PUBLISHED_FOLDS,
  PUBLISHED_PROTOCOL,
  PUBLISHED_SOURCE,
  PUBLISHED_TASKS,
} from "../eval/published.ts";
import { visiblePearson } from "../eval/synthetic.ts";
import { deviation, mean } from "../eval/statistics.ts";
import { Sha256 } from "../io/zlib.ts";
import { VERSION } from "../core/version.ts";
import { alignRows } from "./table.ts";

/** An encoder that could not be evaluated. */
export interface Failure {
  readonly encoder: string;
  readonly error: string;
}

/** All that came out. */
export interface Evaluation {
  readonly protocol: string;
  readonly tasks: readonly Task[];
  readonly results: readonly TaskResult[];
  readonly failures: readonly Failure[];
  readonly perGene: boolean;
}

const fixed = (value: number | null | undefined, digits = 4): string =>
  value === undefined || value === null ? "-" : value.toFixed(digits);

/** One gene over folds; a fold in which it is not defined says why. */
interface GeneRow {
  readonly gene: string;
  readonly pearson: (number | null)[];
  readonly spearman: (number | null)[];
  readonly r2_intercept: (number | null)[];
  readonly mean: number;
  readonly std: number;
  readonly reasons?: string[];
}

function geneRows({ folds }: TaskResult): GeneRow[] {
  const genes = [...new Set(folds.flatMap(({ panel }) => panel.genes))];
  return genes.map((gene) => {
    const scores = folds.flatMap(({ name, result }) => {
      const found = result.perGene.find((score) => score.gene === gene);
      return found === undefined ? [] : [{ name, ...found }];
    });
    const counted = scores.map(({ pearson }) => pearson ?? 0);
    const reasons = scores.flatMap(({ name, reason }) => reason === undefined ? [] : [`${name}: ${reason}`]);
    return {
      gene,
      pearson: scores.map(({ pearson }) => pearson),
      spearman: scores.map(({ spearman }) => spearman),
      r2_intercept: scores.map(({ r2Intercept }) => r2Intercept),
      mean: mean(counted),
      std: deviation(counted),
      ...(reasons.length > 0 ? { reasons } : {}),
    };
  });
}

/** What is not defined in a result, one line each. */
export function degenerate({ folds }: TaskResult): { fold: string; gene: string; reason: string }[] {
  return folds.flatMap(({ name, result }) => result.degenerate.map((entry) => ({ fold: name, ...entry })));
}

const summaryJson = ({ mean, std, values }: Summary) => ({ mean, std, per_fold: values });

/** Few-shot scores: mean over folds of each k. */
function fewShot(folds: readonly FoldResult[]) {
  const found = folds.flatMap(({ name, kshot }) => kshot === undefined ? [] : [{ name, ...kshot }]);
  return found.length === 0 ? undefined : found.map(({ name, classes, chance, scores, leftOut }) => ({
    fold: name,
    classes,
    chance,
    left_out: leftOut,
    balanced_accuracy: scores,
  }));
}

/** Of synthetic data, the mean over genes that a picture can show. */
function visible({ folds }: TaskResult): { pearson_visible?: { mean: number; per_fold: number[] } } {
  const values = folds.flatMap(({ result }) => visiblePearson(result.perGene) ?? []);
  return values.length < folds.length ? {} : { pearson_visible: { mean: mean(values), per_fold: values } };
}

function taskJson(result: TaskResult, perGene: boolean) {
  const { slideProbe } = result;
  return {
    task: result.task,
    dim: result.dim,
    spots: result.spots,
    folds: result.folds.map(({ name, result }) => ({
      name,
      n_train: result.nTrain,
      n_test: result.nTest,
      alpha: result.model.alpha,
      components: result.model.components,
      rank: result.model.rank,
      solver: result.model.solver,
      per_slide: result.perSlide.map(({ slide, spots, pearsonMean, undefinedGenes }) => ({
        sample: slide,
        spots,
        pearson_mean: pearsonMean,
        undefined_genes: undefinedGenes,
      })),
    })),
    pearson: summaryJson(result.pearson),
    pearson_per_slide: summaryJson(result.slidePearson),
    spearman: summaryJson(result.spearman),
    r2_intercept: summaryJson(result.r2Intercept),
    ...visible(result),
    slide_probe: slideProbe,
    smooth_rank: result.smoothRank ?? null,
    few_shot: fewShot(result.folds),
    degenerate: degenerate(result),
    warnings: result.warnings,
    ...(perGene ? { per_gene: geneRows(result) } : {}),
  };
}

const comparisonJson = ({ paired, ...rest }: Comparison) => ({
  ...rest,
  n: paired.n,
  mean: paired.mean,
  std: paired.std,
  interval: paired.interval ?? null,
  level: 0.95,
  better: paired.better,
  worse: paired.worse,
  differences: paired.differences,
});

/** The published rows beside the tasks that were run; undefined where no task or protocol matches. */
function publishedTasks({ protocol, tasks }: Evaluation): number[] | undefined {
  const found = tasks.map(({ name }) => PUBLISHED_TASKS.indexOf(name)).filter((at) => at >= 0);
  return protocol === PUBLISHED_PROTOCOL && found.length > 0 ? found : undefined;
}

/** `results.json`: one object for all. */
export function evaluationJson(evaluation: Evaluation): Record<string, unknown> {
  const { protocol, tasks, results, failures, perGene } = evaluation;
  const names = tasks.map(({ name }) => name);
  const published = publishedTasks(evaluation);
  return {
    software: `seal-webgpu ${VERSION}`,
    protocol,
    protocol_is: findProtocol(protocol).what,
    tasks: tasks.map(({ name, samples, folds, panel, warnings }) => ({
      name,
      samples: samples.map(({ id }) => id),
      folds,
      warnings,
      panel: panel === undefined
        ? "chosen on the training samples of each fold"
        : { source: panel.source, genes: panel.genes, sha256: panelHash(panel.genes) },
    })),
    encoders: [...Map.groupBy(results, ({ encoder }) => encoder)].map(([name, own]) => ({
      name,
      ...own[0]!.facts,
      average: {
        pearson: average(own, names, "pearson") ?? null,
        pearson_per_slide: average(own, names, "slidePearson") ?? null,
      },
      tasks: own.map((result) => taskJson(result, perGene)),
    })),
    comparisons: compare(results).map(comparisonJson),
    ...(published && {
      published: {
        source: PUBLISHED_SOURCE,
        rows: PUBLISHED.map(({ name, average, tasks }) => ({
          name,
          average,
          tasks: Object.fromEntries(published.map((at) => [PUBLISHED_TASKS[at]!, tasks[at]!])),
        })),
      },
    }),
    failures,
  };
}

function panelHash(genes: readonly string[]): string {
  return new Sha256().update(new TextEncoder().encode(genes.join("\n"))).hex();
}

/** Lines for people. */
export function evaluationText(evaluation: Evaluation): string[] {
  const { results, protocol, failures, perGene } = evaluation;
  return [
    `Protocol ${protocol}: ${findProtocol(protocol).what}`,
    "",
    ...mainTable(results),
    ...comparisonLines(compare(results)),
    ...fewShotLines(results),
    ...publishedLines(evaluation),
    ...(perGene ? geneLines(results) : []),
    ...problemLines(results),
    ...failures.map(({ encoder, error }) => `failed: ${encoder}: ${error}`),
  ];
}

function mainTable(results: readonly TaskResult[]): string[] {
  const extra = results.some((result) => visible(result).pearson_visible !== undefined);
  const head = [
    "task",
    "encoder",
    "folds",
    "pearson",
    "std",
    "per slide",
    "spearman",
    "R2",
    "slide id",
    "chance",
    "rank",
  ];
  return alignRows([
    extra ? [...head, "visible"] : head,
    ...results.map((result) => [
      result.task,
      result.encoder,
      String(result.folds.length),
      fixed(result.pearson.mean),
      result.folds.length > 1 ? fixed(result.pearson.std) : "-",
      fixed(result.slidePearson.mean),
      fixed(result.spearman.mean),
      fixed(result.r2Intercept.mean),
      fixed(result.slideProbe.accuracy, 2),
      fixed(result.slideProbe.chance, 2),
      fixed(result.smoothRank, 1),
      ...(extra ? [fixed(visible(result).pearson_visible?.mean)] : []),
    ]),
  ]);
}

function comparisonLines(comparisons: readonly Comparison[]): string[] {
  const lines = comparisons.map(({ a, b, task, metric, over, paired }) => {
    const { mean, interval, n, better } = paired;
    const range = interval === undefined ? "" : ` [${interval.map((v) => signed(v)).join(", ")}]`;
    const of = metric === "pearson" ? "pooled" : "per slide";
    return `${task}: ${b} less ${a}, ${of} Pearson: ${signed(mean)}${range} over ${n} ${over}, better in ${better}`;
  });
  return lines.length === 0 ? [] : ["", "Paired differences (95 % bootstrap interval)", ...lines];
}

const signed = (value: number): string => `${value < 0 ? "" : "+"}${value.toFixed(4)}`;

function fewShotLines(results: readonly TaskResult[]): string[] {
  const rows = results.flatMap(({ task, encoder, folds }) => {
    const found = folds.flatMap(({ kshot }) => kshot ?? []);
    if (found.length === 0) return [];
    const cells = found[0]!.scores.map(({ k }, i) => {
      const values = found.flatMap(({ scores }) => scores[i]!.mean ?? []);
      return `${k}: ${values.length === 0 ? found[0]!.scores[i]!.reason : fixed(mean(values), 3)}`;
    });
    return [[task, encoder, ...cells, `chance ${fixed(mean(found.map(({ chance }) => chance)), 3)}`]];
  });
  return rows.length === 0
    ? []
    : ["", "Balanced accuracy after k labelled spots a class (50 draws)", ...alignRows(rows)];
}

function publishedLines(evaluation: Evaluation): string[] {
  const at = publishedTasks(evaluation);
  if (at === undefined) return [];
  const whole = at.length === PUBLISHED_TASKS.length;
  const names = at.map((i) => PUBLISHED_TASKS[i]!);
  const published = PUBLISHED.map(({ name, average, tasks }) => ({ name, average, tasks: at.map((i) => tasks[i]) }));
  const own = [...Map.groupBy(evaluation.results, ({ encoder }) => encoder)].map(([name, results]) => ({
    name: `> ${name}`,
    average: average(results, names, "pearson") ?? NaN,
    tasks: names.map((task) => results.find((result) => result.task === task)?.pearson.mean),
  }));
  const key = (row: { average: number; tasks: (number | undefined)[] }) =>
    whole ? row.average : mean(row.tasks.map((v) => v ?? 0));
  const rows = [...published, ...own].sort((a, b) => key(b) - key(a));
  return [
    "",
    `Published (${PUBLISHED_SOURCE}); rows with > are this run's`,
    ...alignRows([
      ["encoder", ...names, ...(whole ? ["average"] : [])],
      ...rows.map((row) => [row.name, ...row.tasks.map((v) => fixed(v)), ...(whole ? [fixed(row.average)] : [])]),
    ]),
    ...foldLines(evaluation.results),
  ];
}

/** Single folds of encoders a third party published them of. */
function foldLines(results: readonly TaskResult[]): string[] {
  return results.flatMap(({ task, facts, pearson }) => {
    const row = PUBLISHED.find(({ registry }) => registry !== undefined && registry === facts["encoder"]);
    const folds = row && facts["adapter"] === "none" ? PUBLISHED_FOLDS[task]?.[row.name] : undefined;
    if (folds?.length !== pearson.values.length) return [];
    const far = Math.max(...folds.map((value, i) => Math.abs(value - pearson.values[i]!)));
    return [`${task}: folds of ${row!.name} differ from published ones by at most ${far.toFixed(4)}`];
  });
}

function geneLines(results: readonly TaskResult[]): string[] {
  return results.flatMap((result) => [
    "",
    `${result.task}, ${result.encoder}`,
    ...alignRows(
      geneRows(result).sort((a, b) => b.mean - a.mean).map(({ gene, mean, std, reasons }) => [
        gene,
        fixed(mean),
        result.folds.length > 1 ? fixed(std) : "-",
        reasons?.join("; ") ?? "",
      ]),
    ),
  ]);
}

function problemLines(results: readonly TaskResult[]): string[] {
  const lines = results.flatMap((result) => [
    ...degenerate(result).map(({ fold, gene, reason }) =>
      `${result.task}, ${result.encoder}, ${fold}: ${gene} has no correlation (${reason}) and counts as 0`
    ),
    ...(result.slideProbe.reason === undefined ? [] : [`${result.task}: no slide probe (${result.slideProbe.reason})`]),
  ]);
  const warnings = new Set(results.flatMap(({ task, warnings }) => warnings.map((text) => `${task}: ${text}`)));
  const all = [...lines, ...warnings];
  return all.length === 0
    ? []
    : ["", ...all.slice(0, 30), ...(all.length > 30 ? [`… and ${all.length - 30} more, in results.json`] : [])];
}
