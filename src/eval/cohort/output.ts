/**
 * What an evaluation of a cohort leaves: JSON, tables of scores and of predictions, and lines for the terminal.
 *
 * @module
 */

import { probabilityText } from "../../core/fixed.ts";
import { alignRows, count } from "../../core/text_table.ts";
import { csvLine } from "../../io/csv.ts";
import type { CohortResult, CohortRowResult } from "./evaluate.ts";
import { SCORES, type Scores } from "./scores.ts";
import type { Estimate } from "./summary.ts";

/** Names of scores in sentences. */
const LABELS: Readonly<Record<string, string>> = {
  auc: "AUC",
  average_precision: "Average precision",
  balanced_accuracy: "Balanced accuracy",
  kappa: "Kappa",
  weighted_kappa: "Quadratic kappa",
  macro_f1: "Macro F1",
  weighted_f1: "Weighted F1",
  cindex: "C-index",
  pearson: "Pearson",
  spearman: "Spearman",
  r2: "R2",
  mse: "MSE",
};
/** Scores of the printed table. */
const SHOWN: Readonly<Record<string, readonly string[]>> = {
  classification: ["auc", "average_precision", "balanced_accuracy"],
  survival: ["cindex"],
  regression: ["pearson", "spearman", "r2"],
};

/** What intervals are of. */
function intervalText({ judged }: CohortResult): string {
  const over = "95 % over test cases in brackets, fitted models as they are";
  return judged.length === 1
    ? over
    : `mean over folds ± standard error, ${over}; folds share training cases: their error is none for new patients`;
}

/** The result as plain JSON. */
export function cohortJson(result: CohortResult): Record<string, unknown> {
  const { cohort: { targets, units }, folds, rows, differences, cases } = result;
  return {
    kind: targets.kind,
    ...(targets.kind === "classification" && { classes: targets.classes }),
    ...(targets.kind === "regression" && { targets: targets.names }),
    units: units.length,
    cases: new Set(units.map((unit) => unit.case)).size,
    cases_tested: cases,
    slides: units.reduce((sum, { slides }) => sum + slides.length, 0),
    ...(targets.kind === "survival" && {
      events: targets.events.reduce((sum, event) => sum + event, 0),
      tied_event_times: tiedEvents(targets),
    }),
    intervals: intervalText(result),
    folds: folds.map(({ fold, judged, problems }) => ({
      name: fold.name,
      train: fold.train.length,
      test: fold.test.length,
      judged,
      ...(problems.length > 0 && { problems }),
    })),
    rows: rows.map(({ source, id, label, note, scores, folds: own, seeds, perTarget }) => ({
      source: source ?? null,
      model: id,
      label,
      note,
      role: source === undefined ? "baseline" : "model",
      scores,
      folds: byFold(result, own),
      ...(seeds && { seeds: seeds.map((own) => byFold(result, own)) }),
      ...(perTarget && { per_target: perTarget }),
    })),
    differences: differences.map(({ a, b, score, difference }) => ({
      a,
      b: { ...b, source: b.source ?? null },
      score,
      ...difference,
    })),
  };
}

function byFold({ judged }: CohortResult, scores: readonly Scores[]) {
  return scores.map((own, f) => ({ fold: judged[f]!.name, ...own }));
}

/** Events that share their time with another. */
export function tiedEvents(
  { times, events }: { readonly times: readonly number[]; readonly events: readonly number[] },
): number {
  const at = Map.groupBy(times.filter((_, i) => events[i]), (time) => time);
  return [...at.values()].reduce((sum, own) => sum + (own.length > 1 ? own.length : 0), 0);
}

/** Score of every model and fold, a line each. */
export function scoresCsv({ rows, judged }: CohortResult): string {
  const lines = rows.flatMap(({ source, id, folds }) =>
    folds.flatMap((scores, f) =>
      Object.entries(scores).map(([name, value]) =>
        csvLine([source ?? "", id, judged[f]!.name, name, value === null ? "" : String(value)])
      )
    )
  );
  return csvLine(["source", "model", "fold", "score", "value"]) + lines.join("");
}

/** What was said of every test unit, a line each. */
export function predictionsCsv({ rows, judged, cohort: { units, targets } }: CohortResult): string {
  const truth = targets.kind === "classification"
    ? ["label"]
    : targets.kind === "survival"
    ? ["time", "event"]
    : targets.names.map((name) => `true_${name}`);
  const said = targets.kind === "classification"
    ? targets.classes.map((name) => `p_${name}`)
    : targets.kind === "survival"
    ? ["risk"]
    : targets.names.map((name) => `predicted_${name}`);
  const lines = rows.flatMap(({ source, id, outputs }) =>
    judged.flatMap(({ name, test, truth: own }, f) =>
      test.map((u, i) => {
        const values = own.kind === "classification"
          ? [(targets as { classes: readonly string[] }).classes[own.labels[i]!]!]
          : own.kind === "survival"
          ? [own.times[i]!, own.events[i]!]
          : said.map((_, k) => short(own.values.data[i * said.length + k]!));
        const output = said.map((_, k) => short(outputs[f]![i * said.length + k]!));
        return csvLine([source ?? "", id, name, units[u]!.name, units[u]!.case, ...values, ...output]);
      })
    )
  );
  return csvLine(["source", "model", "fold", "unit", "case", ...truth, ...said]) + lines.join("");
}

function short(value: number): number {
  return Number(value.toPrecision(9));
}

/** Lines for the terminal. */
export function cohortText(result: CohortResult): string[] {
  const { cohort: { targets, units }, rows, differences, folds, judged } = result;
  const shown = SHOWN[targets.kind]!;
  const [headline] = SCORES[targets.kind];
  const table = alignRows([
    ["encoder", "model", ...shown.map((name) => LABELS[name]!)],
    ...rows.map((row) => [row.source ?? "(none)", row.label, ...shown.map((name) => estimateText(row.scores[name]!))]),
  ]);
  const label = (row: { source: string | undefined; model: string }) => {
    const found = rows.find(({ source, id }) => source === row.source && id === row.model) as CohortRowResult;
    return row.source === undefined ? found.label : `${row.source} (${found.label})`;
  };
  const paired = differences.filter(({ score }) => score === headline).map(({ a, b, difference }) => [
    `${label(a)} less ${label(b)}`,
    `${signed(difference.value!)}${interval(difference, signed)}`,
    `better in ${difference.better}, worse in ${difference.worse} of ${count(difference.folds, "fold")}`,
    difference.delong_p === undefined ? "" : `DeLong p ${probabilityText(difference.delong_p)}`,
  ]);
  return [
    "",
    `${count(units.length, "unit")} in ${count(judged.length, "fold")}${
      judged.length < folds.length ? ` of ${folds.length}` : ""
    }, ${intervalText(result)}`,
    "",
    ...table,
    ...(paired.length === 0 ? [] : ["", `Paired differences, ${LABELS[headline!]}`, ...alignRows(paired)]),
  ];
}

function estimateText(estimate: Estimate): string {
  if (estimate.value === null) return "-";
  const error = estimate.se === undefined ? "" : ` ± ${estimate.se.toFixed(3)}`;
  return `${estimate.value.toFixed(3)}${error}${interval(estimate, (value) => value.toFixed(3))}`;
}

function interval({ low, high }: Pick<Estimate, "low" | "high">, text: (value: number) => string): string {
  return low === undefined || high === undefined ? "" : ` [${text(low)}, ${text(high)}]`;
}

function signed(value: number): string {
  return `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(3)}`;
}
