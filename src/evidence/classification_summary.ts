/**
 * A classification in a few lines, and as a command's JSON.
 *
 * @module
 */

import { fixed, signed } from "../core/fixed.ts";
import { alignRows, count } from "../core/text_table.ts";
import {
  CLASSIFICATION_SCORES,
  type ClassificationDifference,
  type ClassificationEstimate,
  type ClassificationResults,
} from "../report/classification_evidence.ts";

/** Lines for people, and what `--json` prints. */
export function classificationSummary(found: ClassificationResults): {
  lines: string[];
  json: Record<string, unknown>;
} {
  const { predictors, differences, folds, task, unit, patients } = found;
  const shown = CLASSIFICATION_SCORES.filter((name) => predictors.some(({ scores }) => scores[name] !== undefined));
  const rows = predictors.map(({ label, scores }) => [label, ...shown.map((name) => estimateText(scores[name]))]);
  const judged = folds.length === 1
    ? `${count(folds[0]!.test, `test ${unit}`)} of ${count(folds[0]!.test_patients, "patient")}`
    : `${count(folds.length, "fold")}, ${count(found.cases, unit)} of ${count(patients, "patient")}`;
  const gains = differences.filter(({ score }) => score === "auc").map((one) => {
    const labelOf = (id: string) => predictors.find((other) => other.id === id)?.label ?? id;
    return `${labelOf(one.predictor)} less ${labelOf(one.baseline)}: AUC ${signed(one.value, 3)}${gainText(one)}`;
  });
  return {
    lines: [
      "",
      ...alignRows([[`${task}, ${judged}`, ...shown.map((name) => name.replaceAll("_", " "))], ...rows]),
      ...gains,
      "",
    ],
    json: {
      classification: {
        task,
        folds: folds.length,
        predictors: Object.fromEntries(predictors.map(({ id, scores }) => [
          id,
          Object.fromEntries(Object.entries(scores).map(([name, one]) => [name, one?.value ?? null])),
        ])),
        differences,
      },
    },
  };
}

function estimateText(one: ClassificationEstimate | undefined): string {
  if (one === undefined || one.value === null) return "-";
  const { value, low, high, se } = one;
  const spread = low !== undefined && high !== undefined
    ? ` (${fixed(low, 3)} to ${fixed(high, 3)})`
    : se !== undefined
    ? ` +- ${fixed(se, 3)}`
    : "";
  return `${fixed(value, 3)}${spread}`;
}

function gainText({ low, high, better, worse, reason }: ClassificationDifference): string {
  if (low !== undefined && high !== undefined) return ` (${signed(low, 3)} to ${signed(high, 3)})`;
  if (better !== undefined && worse !== undefined) return `, better on ${better} and worse on ${worse} folds`;
  return reason === undefined ? "" : `; no interval: ${reason}`;
}
