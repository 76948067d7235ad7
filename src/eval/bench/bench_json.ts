/**
 * `results.json` of `evaluate`.
 *
 * @module
 */

import { VERSION } from "../../core/version.ts";
import type { Task } from "./bench_task.ts";
import { average, compare, type Comparison } from "../comparison.ts";
import type { Panel } from "./fold_panel.ts";
import type { FoldResult, ProtocolResult, Scores, Summary, TaskResult } from "./hest_bench.ts";
import { findProtocol, HEADLINE_PROTOCOL } from "../protocol.ts";
import { mean } from "../linalg/statistics.ts";
import { PUBLISHED, PUBLISHED_SOURCE, PUBLISHED_TASKS } from "./published.ts";
import { sha256Of } from "../../io/checksum.ts";
import {
  degenerate,
  type Evaluation,
  geneRows,
  penaltyNote,
  penaltyText,
  poorFits,
  publishedTasks,
  visible,
} from "./bench_result.ts";
import { spaceProblems } from "./space_problems.ts";

const summaryJson = ({ mean, std, values }: Summary) => ({ mean, std, per_fold: values });

const scoresJson = ({ pearson, slidePearson, spearman, r2Intercept }: Scores) => ({
  pearson: summaryJson(pearson),
  pearson_per_slide: summaryJson(slidePearson),
  spearman: summaryJson(spearman),
  r2_intercept: summaryJson(r2Intercept),
});

/** Few-shot scores: mean over folds of each k. */
function fewShot(folds: readonly FoldResult[]) {
  const found = folds.flatMap(({ name, kshot }) => kshot === undefined ? [] : [{ name, ...kshot }]);
  return found.length === 0 ? undefined : found.map(({ name, classes, chance, scores, drawsSha256, leftOut }) => ({
    fold: name,
    classes,
    chance,
    left_out: leftOut,
    draws_sha256: drawsSha256,
    balanced_accuracy: scores.map(({ values: _, ...score }) => score),
  }));
}

function foldJson({ name, result, tested }: FoldResult) {
  const { model } = result;
  return {
    name,
    n_train: result.nTrain,
    n_test: result.nTest,
    tested,
    alpha: model.alpha,
    alpha_search: model.chosen === undefined
      ? null
      : { by: model.chosen.by, folds: model.chosen.folds, at_edge: model.chosen.atEdge },
    components: model.components,
    rank: model.rank,
    solver: model.solver,
    per_slide: result.perSlide.map(({ slide, spots, pearsonMean, undefinedGenes }) => ({
      sample: slide,
      spots,
      pearson_mean: pearsonMean,
      undefined_genes: undefinedGenes,
    })),
  };
}

/** What stands beside the scores of a protocol, whichever it is. */
function besideJson(
  { protocol, folds, depth, trainingMeanR2, donors, organs, spotScores }: ProtocolResult,
  facts: TaskResult["facts"],
) {
  const { truth } = findProtocol(protocol);
  const note = penaltyNote(facts, { folds });
  return {
    truth,
    penalty: penaltyText(folds),
    ...(note === undefined ? {} : { penalty_note: note }),
    baselines: { depth_only: scoresJson(depth), training_mean: { r2: summaryJson(trainingMeanR2) } },
    donors: Object.fromEntries(
      Object.entries(donors).map(([kind, { donors, sections, slidePearson }]) => [
        kind,
        { donors, sections, pearson_per_slide: slidePearson },
      ]),
    ),
    organs: {
      mean_of_organs: organs.length === 0 ? null : mean(organs.map(({ slidePearson }) => slidePearson)),
      by_organ: Object.fromEntries(
        organs.map(({ organ, sections, slidePearson }) => [organ, { sections, pearson_per_slide: slidePearson }]),
      ),
    },
    along_genes: spotScores === undefined ? null : {
      mse: spotScores.mse,
      pearson: spotScores.pearson,
      spearman: spotScores.spearman,
      spearman_ordinal: spotScores.spearmanOrdinal,
      constant_predictions: spotScores.constant,
    },
  };
}

function headlineJson(result: ProtocolResult, facts: TaskResult["facts"]) {
  const { protocol, folds } = result;
  return {
    protocol,
    protocol_is: findProtocol(protocol).what,
    folds: folds.map(foldJson),
    ...scoresJson(result),
    ...besideJson(result, facts),
  };
}

function taskJson(result: TaskResult, perGene: boolean) {
  return {
    task: result.task,
    dim: result.dim,
    spots: result.spots,
    headline: headlineJson(result.headline, result.facts),
    folds: result.folds.map(foldJson),
    ...scoresJson(result),
    ...besideJson(result, result.facts),
    ...visible(result),
    slide_probe: result.slideProbe,
    smooth_rank: result.smoothRank ?? null,
    space: {
      patches: result.space.patches,
      mean_cosine: result.space.meanCosine,
      same_slide: result.space.sameSlide,
      same_slide_chance: result.space.sameSlideChance,
    },
    few_shot: fewShot(result.folds),
    degenerate: degenerate(result),
    warnings: [...result.warnings, ...poorFits(result)],
    ...(perGene ? { per_gene: geneRows(result) } : {}),
  };
}

const comparisonJson = ({ paired, donors, ...rest }: Comparison) => ({
  ...rest,
  donors: donors ?? null,
  n: paired.n,
  mean: paired.mean,
  std: paired.std,
  interval: paired.interval ?? null,
  ...(paired.reason === undefined ? {} : { no_interval: paired.reason }),
  level: 0.95,
  better: paired.better,
  worse: paired.worse,
  differences: paired.differences,
});

const panelJson = ({ source, genes, leftOut }: Panel) => ({
  source,
  genes,
  sha256: sha256Of(genes.join("\n")),
  left_out: leftOut,
});

function taskHead({ name, samples, folds, panel, warnings }: Task, result: TaskResult | undefined) {
  return {
    name,
    samples: samples.map(({ id }) => id),
    folds,
    warnings,
    panel: panel === undefined ? "chosen on the training samples of each fold" : panelJson(panel),
    ...(panel === undefined && result !== undefined
      ? { panels: result.folds.map(({ name, panel }) => ({ fold: name, ...panelJson(panel) })) }
      : {}),
  };
}

/** `results.json`: one object for all. */
export function evaluationJson(evaluation: Evaluation): Record<string, unknown> {
  const { protocol, tasks, results, failures, perGene, madeOf } = evaluation;
  const names = tasks.map(({ name }) => name);
  const published = publishedTasks(evaluation);
  return {
    software: `seal-webgpu ${VERSION}`,
    made_of: madeOf,
    protocol,
    protocol_is: findProtocol(protocol).what,
    headline: {
      protocol: HEADLINE_PROTOCOL,
      protocol_is: findProtocol(HEADLINE_PROTOCOL).what,
      metric: "pearson_per_slide",
    },
    tasks: tasks.map((task) => taskHead(task, results.find((result) => result.task === task.name))),
    encoders: [...Map.groupBy(results, ({ encoder }) => encoder)].map(([name, own]) => ({
      name,
      ...own[0]!.facts,
      average: {
        headline: average(own, names, "slidePearson", ({ headline }) => headline) ?? null,
        pearson: average(own, names, "pearson") ?? null,
        pearson_per_slide: average(own, names, "slidePearson") ?? null,
      },
      tasks: own.map((result) => taskJson(result, perGene)),
    })),
    comparisons: compare(results).map(comparisonJson),
    space_warnings: spaceProblems(results),
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
