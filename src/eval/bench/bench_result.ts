/**
 * What `evaluate` found, and what its table and its `results.json` both say of it.
 *
 * @module
 */

import { fixed } from "../../core/fixed.ts";
import type { Task } from "./bench_task.ts";
import type { FoldResult, ProtocolResult, TaskResult } from "./hest_bench.ts";
import { findProtocol } from "../protocol.ts";
import { PUBLISHED_PROTOCOL, PUBLISHED_TASKS } from "./published.ts";
import { visiblePearson } from "../synthetic.ts";
import { deviation, mean } from "../linalg/statistics.ts";

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
  /** Encoders, genes, split, seed and device by names and hashes, in a sentence. */
  readonly madeOf: string;
}

/** One gene over folds; a fold in which it is not defined says why. */
export interface GeneRow {
  readonly gene: string;
  readonly pearson: (number | null)[];
  readonly spearman: (number | null)[];
  readonly r2_intercept: (number | null)[];
  readonly mean: number;
  readonly std: number;
  readonly reasons?: string[];
}

/** All genes of a result. */
export function geneRows({ folds }: TaskResult): GeneRow[] {
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

/** Of synthetic data, the mean over genes that an image can show. */
export function visible({ folds }: TaskResult): { pearson_visible?: { mean: number; per_fold: number[] } } {
  const values = folds.flatMap(({ result }) => visiblePearson(result.perGene) ?? []);
  return values.length < folds.length ? {} : { pearson_visible: { mean: mean(values), per_fold: values } };
}

/** The published rows beside the tasks that were run; undefined where no task or protocol matches. */
export function publishedTasks({ protocol, tasks }: Evaluation): number[] | undefined {
  const found = tasks.map(({ name }) => PUBLISHED_TASKS.indexOf(name)).filter((at) => at >= 0);
  return protocol === PUBLISHED_PROTOCOL && found.length > 0 ? found : undefined;
}

/** R2 below which predictions are worse than useless as values: half as much error again as the mean of the tested spots has. */
const POOR_R2 = -0.5;

/** Warnings of folds whose predictions miss by far, one a result and protocol. */
export function poorFits({ task, encoder, headline, ...asked }: TaskResult): string[] {
  const views: ProtocolResult[] = headline.protocol === asked.protocol ? [asked] : [headline, asked];
  return views.flatMap(({ protocol, r2Intercept, folds, trainingMeanR2 }) => {
    const poor = folds.flatMap(({ name }, i) =>
      r2Intercept.values[i]! < POOR_R2 ? [{ name, r2: r2Intercept.values[i]!, mean: trainingMeanR2.values[i]! }] : []
    );
    if (poor.length === 0) return [];
    const worst = poor.reduce((a, b) => b.r2 < a.r2 ? b : a);
    const formula = findProtocol(protocol).alpha === "formula";
    return [
      `${task}, ${encoder}, ${protocol}: R2 is ${fixed(worst.r2, 2)} in ${worst.name}` +
      `${poor.length > 1 ? `, and below ${POOR_R2} in ${poor.length} folds` : ""}: its squared error is ` +
      `${fixed(1 - worst.r2, 1)} times that of the mean of the tested spots, R2 of the training mean is ${
        fixed(worst.mean, 2)
      }${formula ? "; the protocol's penalty hardly restrains so few spots" : ""}`,
    ];
  });
}

/** Genes that were left out of panels, one line a task and panel. */
export function leftOutLines(task: Task, result: TaskResult | undefined): string[] {
  const line = (where: string, leftOut: readonly { gene: string; reason: string }[]) =>
    leftOut.length === 0 ? [] : [
      `${where}: ${leftOut.length} ${leftOut.length === 1 ? "gene" : "genes"} left out of the panel: ${
        leftOut.slice(0, 20).map(({ gene, reason }) => `${gene} (${reason})`).join(", ")
      }${leftOut.length > 20 ? ", …" : ""}`,
    ];
  if (task.panel !== undefined) return line(task.name, task.panel.leftOut);
  return (result?.folds ?? []).flatMap(({ name, panel }) => line(`${task.name}, ${name}`, panel.leftOut));
}

/** What is to be known of the penalty of an encoder with an adapter; undefined where there is nothing. */
export function penaltyNote(facts: TaskResult["facts"], { folds }: Pick<ProtocolResult, "folds">): string | undefined {
  const adapter = facts["adapter"];
  const chosen = folds.some(({ result }) => result.model.chosen);
  if (adapter === undefined || adapter === "none" || !chosen) return undefined;
  return `penalty of ${adapter}: it may be too small if the adapter was trained on the donors it is chosen on`;
}

/** How penalties of folds were found, in words. */
export function penaltyText(folds: readonly FoldResult[]): string {
  const found = [...new Set(folds.flatMap(({ result }) => result.model.chosen?.by ?? []))];
  return found.length === 0
    ? "100/(features x targets), next to nothing"
    : `cross-validated over training ${found.join(" or ")}`;
}
