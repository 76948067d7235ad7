/**
 * What `evaluate` prints of its results.
 *
 * @module
 */

import { fixed, signed } from "../../core/fixed.ts";
import { average, compare, type Comparison } from "../comparison.ts";
import type { FoldResult, ProtocolResult, Scores, TaskResult } from "./hest_bench.ts";
import { findProtocol, HEADLINE_PROTOCOL, type Truth } from "../protocol.ts";
import { PUBLISHED, PUBLISHED_FOLDS, PUBLISHED_SOURCE, PUBLISHED_TASKS } from "./published.ts";
import type { KshotResult } from "../kshot.ts";
import { deviation, mean } from "../linalg/statistics.ts";
import {
  degenerate,
  type Evaluation,
  geneRows,
  leftOutLines,
  penaltyNote,
  penaltyText,
  poorFits,
  publishedTasks,
  visible,
} from "./bench_result.ts";
import { alignRows } from "../../core/text_table.ts";
import { spaceProblems } from "./space_problems.ts";

const number = (value: number | null | undefined, digits = 4): string =>
  value === undefined || value === null ? "-" : fixed(value, digits);

/** Lines for people. */
export function evaluationText(evaluation: Evaluation): string[] {
  const { results, tasks, protocol, failures, perGene, madeOf } = evaluation;
  const comparisons = compare(results);
  const both = results.some(({ headline }) => headline.protocol !== protocol);
  return [
    `Headline, ${HEADLINE_PROTOCOL}: correlation within sections on truth normalised by depth`,
    ...facts(evaluation, ({ headline }) => headline),
    ...headlineTable(results),
    ...organLines(results),
    ...(results.length > 0 && !results.some(({ facts }) => facts["encoder"] === "colour")
      ? ["  what colours alone score: add --encoder colour"]
      : []),
    ...comparisonLines(comparisons.filter((one) => one.protocol === HEADLINE_PROTOCOL), "per slide"),
    "",
    `Protocol ${protocol}: ${findProtocol(protocol).what}`,
    ...(both ? facts(evaluation, (result) => result) : []),
    ...mainTable(results),
    ...(both ? comparisonLines(comparisons.filter((one) => one.protocol === protocol)) : []),
    ...fewShotLines(results),
    ...publishedLines(evaluation),
    ...(perGene ? geneLines(results) : []),
    ...problemLines(evaluation),
    ...tasks.flatMap((task) => leftOutLines(task, results.find((result) => result.task === task.name))),
    ...failures.map(({ encoder, error }) => `failed: ${encoder}: ${error}`),
    `Made of: ${madeOf}`,
  ];
}

/** Averages by organ, where there are several, and over them: each counts once, however many sections it has. */
function organLines(results: readonly TaskResult[]): string[] {
  const names = [...new Set(results.flatMap(({ headline }) => headline.organs.map(({ organ }) => organ)))].sort();
  if (names.length < 2) return [];
  const sections = (name: string) =>
    Math.max(...results.flatMap(({ headline }) => headline.organs.find(({ organ }) => organ === name)?.sections ?? 0));
  const rows = results.map(({ task, encoder, headline: { organs } }) => [
    `  ${task}`,
    encoder,
    ...names.map((name) => number(organs.find(({ organ }) => organ === name)?.slidePearson)),
    number(organs.length === 0 ? undefined : mean(organs.map(({ slidePearson }) => slidePearson))),
  ]);
  const head = ["  within, by organ", "", ...names.map((name) => `${name} (${sections(name)})`), "mean of organs"];
  return alignRows([head, ...rows]);
}

/** Truth, penalty, panel and donors of a table. */
function facts({ tasks, results }: Evaluation, view: (result: TaskResult) => ProtocolResult): string[] {
  const first = results[0] && view(results[0]);
  if (first === undefined) return [];
  const { truth } = findProtocol(first.protocol);
  const penalty = penaltyText(results.flatMap((result) => view(result).folds));
  const name = tasks.length > 1 ? (task: string) => `${task}: ` : () => "";
  const notes = new Set(results.flatMap((result) => penaltyNote(result.facts, view(result)) ?? []));
  return [
    `  truth: ${TRUTH[truth]}; penalty: ${penalty}`,
    ...[...notes].map((note) => `  ${note}`),
    ...tasks.flatMap((task) => {
      const found = results.find((result) => result.task === task.name);
      return found === undefined
        ? []
        : [`  ${name(task.name)}panel: ${panelText(found)}; donors: ${donorText(view(found))}`];
    }),
  ];
}

const TRUTH: Readonly<Record<Truth, string>> = {
  "log1p counts": "ln(1 + count), not normalised: it rises with the depth of a spot",
  "log1p counts per 10,000": "ln(1 + counts per 10,000), normalised by depth",
};

function panelText({ folds }: TaskResult): string {
  const sizes = [...new Set(folds.map(({ panel }) => panel.genes.length))];
  const sources = [...new Set(folds.map(({ panel }) => panel.source))];
  return `${sizes.join(" or ")} genes, ${sources.join("; ")}`;
}

function donorText({ donors, folds }: ProtocolResult): string {
  const of = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
  const parts = Object.entries(donors).map(([kind, { donors, sections }]) =>
    kind === "unknown"
      ? `of ${of(sections, "tested section")} not known`
      : kind === "seen"
      ? `${of(donors, "donor")} tested (${of(sections, "section")}) that the same fold trained on`
      : `${of(donors, "donor")} tested (${of(sections, "section")}), not trained on in the same fold`
  );
  return folds.length === 0 ? "none" : parts.join("; ");
}

/** Penalties of a result's folds. */
function penalties(results: readonly FoldResult["result"][]): string {
  const values = results.map(({ model }) => model.alpha);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const text = (value: number) => Number(value.toPrecision(2)).toString();
  return low === high ? text(low) : `${text(low)} to ${text(high)}`;
}

/** A row, and the rows of what sees no image, once a task. */
function withBaselines(
  results: readonly TaskResult[],
  row: (result: TaskResult, name: string, scores: Scores | undefined) => string[],
): string[][] {
  return [...Map.groupBy(results, ({ task }) => task).values()].flatMap((own) => [
    ...own.map((result) => row(result, result.encoder, result)),
    // Encoders may have features of different spots; then each has its own.
    ...[...Map.groupBy(own, (result) => JSON.stringify(row(result, "", undefined))).values()].map(([first], _, all) =>
      row(first!, all.length === 1 ? "(depth only)" : `(depth only, spots of ${first!.encoder})`, undefined)
    ),
  ]);
}

function headlineTable(results: readonly TaskResult[]): string[] {
  const kinds = [...new Set(results.flatMap(({ headline }) => Object.keys(headline.donors)))];
  const apart = kinds.length > 1 ? (["unseen", "seen", "unknown"] as const).filter((kind) => kinds.includes(kind)) : [];
  const row = ({ task, headline }: TaskResult, name: string, own: Scores | undefined): string[] => {
    const scores = own === undefined ? headline.depth : headline;
    return [
      task,
      name,
      String(headline.folds.length),
      number(scores.slidePearson.mean),
      number(scores.pearson.mean),
      number(scores.spearman.mean),
      number(scores.r2Intercept.mean),
      penalties(headline.folds.map(({ result, depth }) => own === undefined ? depth : result)),
      ...apart.map((kind) => own === undefined ? "-" : number(headline.donors[kind]?.slidePearson)),
    ];
  };
  const means = [...Map.groupBy(results, ({ task }) => task).values()].map(([first]) => {
    const { task, headline } = first!;
    return [
      task,
      "(training mean)",
      String(headline.folds.length),
      "-",
      "-",
      "-",
      number(headline.trainingMeanR2.mean),
      "-",
    ];
  });
  const head = ["task", "encoder", "folds", "within", "pooled", "spearman", "R2", "penalty"];
  return alignRows([
    [...head, ...apart.map((kind) => `${kind} donors`)],
    ...withBaselines(results, row),
    ...means,
  ]);
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
    ...(extra ? ["visible"] : []),
    "penalty",
  ];
  const row = (result: TaskResult, name: string, own: Scores | undefined): string[] => {
    const scores = own ?? result.depth;
    const only = (text: string) => own === undefined ? "-" : text;
    return [
      result.task,
      name,
      String(result.folds.length),
      number(scores.pearson.mean),
      result.folds.length > 1 ? number(scores.pearson.std) : "-",
      number(scores.slidePearson.mean),
      number(scores.spearman.mean),
      number(scores.r2Intercept.mean),
      only(number(result.slideProbe.accuracy, 2)),
      only(number(result.slideProbe.chance, 2)),
      only(number(result.smoothRank, 1)),
      ...(extra ? [only(number(visible(result).pearson_visible?.mean))] : []),
      penalties(result.folds.map(({ result, depth }) => own === undefined ? depth : result)),
    ];
  };
  return alignRows([head, ...withBaselines(results, row)]);
}

function comparisonLines(all: readonly Comparison[], first?: "per slide"): string[] {
  // The headline's own measure comes first.
  const order = (one: Comparison) => first !== undefined && one.metric === "pearson" ? 1 : 0;
  const lines = [...all].sort((a, b) => order(a) - order(b)).map(({ a, b, task, metric, over, paired }) => {
    const { mean, interval, reason, n, better } = paired;
    const range = interval === undefined ? "" : ` [${interval.map((v) => signed(v, 4)).join(", ")}]`;
    const of = metric === "pearson" ? "pooled" : "per slide";
    const why = reason !== undefined
      ? `; no interval: ${reason}`
      : over === "genes"
      ? "; the interval is over genes and says nothing about other donors"
      : "";
    return `${task}: ${b} less ${a}, ${of} Pearson: ${
      signed(mean, 4)
    }${range} over ${n} ${over}, better in ${better}${why}`;
  });
  const some = all.some(({ paired }) => paired.interval !== undefined);
  return lines.length === 0 ? [] : ["", `Paired differences${some ? " (95 % bootstrap interval)" : ""}`, ...lines];
}

function fewShotLines(results: readonly TaskResult[]): string[] {
  const rows = [...Map.groupBy(results, ({ task }) => task).values()].flatMap((own) => {
    const first = own[0]!.folds.flatMap(({ kshot }) => kshot ?? []);
    return own.flatMap(({ task, encoder, folds }) => {
      const found = folds.flatMap(({ kshot }) => kshot ?? []);
      if (found.length === 0) return [];
      const cells = found[0]!.scores.map(({ k }, i) => {
        const values = found.flatMap(({ scores }) => scores[i]!.values ?? []);
        if (values.length === 0) return `${k}: ${found[0]!.scores[i]!.reason}`;
        const more = found === first ? "" : moreThan(first, found, i);
        return `${k}: ${number(mean(values), 3)} ± ${number(deviation(values), 3)}${more}`;
      });
      return [[task, encoder, ...cells, `chance ${number(mean(found.map(({ chance }) => chance)), 3)}`]];
    });
  });
  return rows.length === 0 ? [] : [
    "",
    "Balanced accuracy after k labelled spots a class (50 draws, their deviation; more than the first on the same draws)",
    ...alignRows(rows),
  ];
}

/** What features reach more than the first ones by k labels, on the same draws; nothing where these are others. */
function moreThan(first: readonly KshotResult[], own: readonly KshotResult[], i: number): string {
  if (first.length !== own.length || first.some(({ drawsSha256 }, f) => drawsSha256 !== own[f]!.drawsSha256)) return "";
  const values = (of: readonly KshotResult[]) => of.flatMap(({ scores }) => scores[i]!.values ?? []);
  const [a, b] = [values(first), values(own)];
  const differences = b.map((value, d) => value - a[d]!);
  return ` (${signed(mean(differences), 3)} ± ${number(deviation(differences), 3)})`;
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
      ...rows.map((row) => [row.name, ...row.tasks.map((v) => number(v)), ...(whole ? [number(row.average)] : [])]),
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
    return [`${task}: folds of ${row!.name} differ from published ones by at most ${fixed(far, 4)}`];
  });
}

function geneLines(results: readonly TaskResult[]): string[] {
  return results.flatMap((result) => [
    "",
    `${result.task}, ${result.encoder}`,
    ...alignRows(
      geneRows(result).sort((a, b) => b.mean - a.mean).map(({ gene, mean, std, reasons }) => [
        gene,
        number(mean),
        result.folds.length > 1 ? number(std) : "-",
        reasons?.join("; ") ?? "",
      ]),
    ),
  ]);
}

function problemLines({ results }: Evaluation): string[] {
  const lines = results.flatMap((result) => [
    ...degenerate(result).map(({ fold, gene, reason }) =>
      `${result.task}, ${result.encoder}, ${fold}: ${gene} has no correlation (${reason}) and counts as 0`
    ),
    ...(result.slideProbe.reason === undefined ? [] : [`${result.task}: no slide probe (${result.slideProbe.reason})`]),
  ]);
  const warnings = new Set(results.flatMap(({ task, warnings }) => warnings.map((text) => `${task}: ${text}`)));
  const all = [...spaceProblems(results), ...results.flatMap(poorFits), ...lines, ...warnings];
  return all.length === 0
    ? []
    : ["", ...all.slice(0, 30), ...(all.length > 30 ? [`… and ${all.length - 30} more, in results.json`] : [])];
}
