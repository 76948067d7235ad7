/**
 * Cases classified: every predictor beside its baselines, differences on the same cases, folds, confusion, and tiles with the most
 * attention. What the numbers do not say stands beside them.
 *
 * @module
 */

import type {
  ClassificationDifference,
  ClassificationEstimate,
  ClassificationResults,
  ClassificationScore,
  Predictor,
} from "./classification_evidence.ts";
import type { ReadEvidence } from "./evidence_read.ts";
import { probabilityText } from "../core/fixed.ts";
import { amount, difference, NONE, percent, score, tickText, whole } from "./format.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import { extent, linear, type Scale } from "./scale.ts";
import { drawing, label, stroke, symbol } from "./svg.ts";
import { identifier, scroller, section, table } from "./html_table.ts";

/** What scores are called. */
const NAMES: Readonly<Record<ClassificationScore, string>> = {
  auc: "AUC",
  average_precision: "Average precision",
  balanced_accuracy: "Balanced accuracy",
  macro_f1: "Macro F1",
  weighted_f1: "Weighted F1",
  kappa: "Quadratic κ",
};

/** Test cases below which a page warns of them. */
const FEW = 50;

/** The classification of a run, where it has one. */
export function classified({ results }: Pick<ReadEvidence, "results">): ClassificationResults | undefined {
  return results?.classification;
}

/** What was found, in sentences that claim no more than their intervals. */
export function classificationAbstract(found: ClassificationResults): Markup {
  const { task, folds, predictors, differences, classes } = found;
  const own = predictors.find(({ role }) => role === "trained");
  const auc = own?.scores.auc;
  if (own === undefined || auc === undefined) {
    return markup`<p class="abstract">Nothing was trained to tell ${task}.</p>`;
  }
  const where = folds.length === 1
    ? markup`On ${amount(folds[0]!.test, `test ${found.unit}`)} of ${amount(folds[0]!.test_patients, "patient")}, `
    : markup`Over ${amount(folds.length, "fold")} of ${amount(found.cases, found.unit)}, `;
  const value = auc.value === null
    ? markup`an area under the ROC curve that is not defined (${auc.reason})`
    : markup`an area under the ROC curve${classes.length > 2 && ", mean over classes,"} of <strong>${
      score(auc.value)
    }</strong>${spreadText(auc)}`;
  const beside = differences.filter((one) => one.predictor === own.id && one.score === "auc").map((one) => {
    const baseline = predictors.find(({ id }) => id === one.baseline)!;
    const unsure = one.low !== undefined && one.high !== undefined && one.low <= 0 && one.high >= 0;
    return markup` ${baseline.label}: ${score(baseline.scores.auc?.value)} (${difference(one.value)}${
      differenceText(one)
    }${unsure && ", which includes no difference"}).`;
  });
  return markup`<p class="abstract">${where}${own.label} tells ${task} with ${value}.${beside}</p>`;
}

/** Behind a value in a sentence. */
function spreadText({ low, high, level, se, units, over, reason }: ClassificationEstimate): string {
  if (low !== undefined && high !== undefined) {
    return `, ${percent(level ?? 0.95, 0)} interval ${score(low)} to ${score(high)} over ${
      amount(units, over.slice(0, -1))
    }`;
  }
  if (se !== undefined) return ` ± ${score(se)} standard error over ${units} folds`;
  return reason === undefined ? "" : ` (no interval: ${reason})`;
}

function differenceText({ low, high, level, better, worse, se, reason }: ClassificationDifference): string {
  if (low !== undefined && high !== undefined) {
    return `, ${percent(level ?? 0.95, 0)} interval ${difference(low)} to ${difference(high)}`;
  }
  if (better !== undefined && worse !== undefined) {
    return `${se === undefined ? "" : ` ± ${score(se)}`}; better on ${better}, worse on ${worse} folds`;
  }
  return reason === undefined ? "" : `; no interval: ${reason}`;
}

/** The section; nothing where no cases were classified. */
export function classification(evidence: ReadEvidence): Slot {
  const found = classified(evidence);
  if (found === undefined) return "";
  return section(
    { id: "classes", title: "Classification" },
    scoreTable(found),
    markup`<p class="remark">${remarks(found).map((text) => markup`${text} `)}</p>`,
    differenceTable(found),
    markup`<div class="split even">${
      found.predictors.filter(({ role }) => role === "trained").map((one) => confusion(found, one))
    }${foldTable(found)}</div>`,
  );
}

/** What the numbers do not say. */
function remarks(found: ClassificationResults): string[] {
  const { folds, overlap, unit, predictions } = found;
  const test = folds.reduce((sum, fold) => sum + fold.test, 0);
  const least = Math.min(...folds.map((fold) => fold.test));
  return [
    folds.length === 1
      ? "Intervals are of a percentile bootstrap over patients: they tell how much the score of this model depends on whom it was tried on, not how much training again would change it."
      : `± is the standard error over folds (population deviation ÷ √${folds.length}). Folds of one set of cases share those they train on${
        overlap > 0 ? `, and ${amount(overlap, unit)} are judged in several` : ""
      }, so they are not independent: it is no interval for new patients. What counts is on how many folds a predictor is better than its baseline.`,
    least < FEW
      ? `There are ${folds.length === 1 ? whole(test) : `${whole(least)} or more`} test ${unit}s${
        folds.length === 1 ? "" : " a fold"
      }: differences of a few hundredths are of single ${unit}s.`
      : "",
    predictions === undefined ? "" : `What each predictor says of each test ${unit} is in ${predictions}.`,
  ].filter(Boolean);
}

function shownScores({ predictors }: ClassificationResults): ClassificationScore[] {
  const known = new Set(predictors.flatMap(({ scores }) => Object.keys(scores)));
  return (["auc", "balanced_accuracy", "macro_f1", "kappa"] as const).filter((name) => known.has(name));
}

function estimateCell(one: ClassificationEstimate | undefined): Slot {
  if (one === undefined) return NONE;
  if (one.value === null) return markup`${NONE}<small>${one.reason}</small>`;
  const { low, high, se } = one;
  const spread = low !== undefined && high !== undefined
    ? `${score(low)} to ${score(high)}`
    : se !== undefined
    ? `± ${score(se)}`
    : one.reason ?? "";
  return markup`${score(one.value)}${spread !== "" && markup`<small>${spread}</small>`}`;
}

/** Width and height of a row's drawing. */
const ROW = { width: 320, height: 34, left: 8, right: 312 } as const;

function limits({ value, low, high, se }: ClassificationEstimate): (number | null)[] {
  return value === null ? [] : [low ?? value - (se ?? 0), value, high ?? value + (se ?? 0)];
}

function scoreTable(found: ClassificationResults): Markup {
  const { predictors, task, classes, folds, unit } = found;
  const values = predictors.flatMap(({ scores }) => scores.auc === undefined ? [] : limits(scores.auc));
  const [low] = extent(values) ?? [0.5, 1];
  const x = linear([Math.min(0.5, low), 1], [ROW.left, ROW.right], { ticks: 5, nice: true });
  const scores = shownScores(found);
  const axis = markup`<tr class="axis-row"><td colspan="${
    String(scores.length + 1)
  }" class="key"></td><td class="plot">${
    drawing(
      { width: ROW.width, height: 22, label: `scale of AUC from ${score(x.domain[0])} to ${score(x.domain[1])}` },
      stroke("axis", [ROW.left, 1], [ROW.right, 1]),
      x.ticks.map((tick) => [
        stroke("axis", [x(tick), 1], [x(tick), 5]),
        label("tick mid", [x(tick), 17], tickText(tick)),
      ]),
    )
  }</td></tr>`;
  return table(predictors, [
    {
      head: "Predictor",
      cell: ({ label, note }) => markup`<span>${label}</span>${note !== undefined && markup`<small>${note}</small>`}`,
    },
    ...scores.map((name) => ({
      head: NAMES[name],
      label: NAMES[name],
      className: "number",
      cell: ({ scores, role }: Predictor) =>
        role === "trained" ? markup`<b>${estimateCell(scores[name])}</b>` : estimateCell(scores[name]),
    })),
    { head: markup`<span class="only-read">Drawing</span>`, className: "plot", cell: (one) => aucRow(one, x) },
  ], {
    className: "forest even",
    caption: markup`<b>${task}: ${classes.join(", ")}.</b> ${amount(found.cases, unit)} of ${
      amount(found.patients, "patient")
    } with ${amount(found.slides, "slide")}${found.features !== undefined && `, features ${found.features}`}; ${
      folds.length === 1
        ? `${whole(folds[0]!.train)} trained on, ${whole(folds[0]!.test)} judged`
        : amount(folds.length, "fold")
    }. AUC is ${
      classes.length === 2 ? `of ${classes[1]} against ${classes[0]}` : "the mean of each class against the others"
    }; guessing gives 0.5, marked in the drawing. Balanced accuracy is the mean recall of the classes; guessing gives ${
      score(1 / classes.length)
    }.`,
    foot: axis,
  });
}

function aucRow({ label: name, role, scores: { auc } }: Predictor, x: Scale): Slot {
  const middle = ROW.height / 2;
  const kind = role === "trained" ? "after" : "before";
  const [low, high] = extent(auc === undefined ? [] : limits(auc)) ?? [0, 0];
  const value = auc?.value;
  return drawing(
    { width: ROW.width, height: ROW.height, label: `${name}: AUC ${score(value)}`, className: "chart row" },
    x.ticks.map((tick) => stroke("guide", [x(tick), 0], [x(tick), ROW.height])),
    stroke("chance", [x(0.5), 5], [x(0.5), ROW.height - 5]),
    typeof value === "number" && [
      low < high && stroke(`whisker ${kind}`, [x(low), middle], [x(Math.min(1, high)), middle]),
      symbol([x(value), middle], "M-4.7 0a4.7 4.7 0 1 0 9.4 0a4.7 4.7 0 1 0 -9.4 0z", { className: `dot ${kind}` }),
    ],
  );
}

function differenceTable(found: ClassificationResults): Slot {
  const shown = new Set<string>(shownScores(found));
  const rows = found.differences.filter(({ score }) => shown.has(score));
  if (rows.length === 0) return "";
  const labelOf = (id: string) => found.predictors.find((one) => one.id === id)?.label ?? id;
  const several = found.folds.length > 1;
  const tested = rows.some(({ delong_p }) => delong_p !== undefined);
  return table(rows, [
    {
      head: "Difference",
      cell: ({ predictor, baseline }) => markup`${labelOf(predictor)}<small>less ${labelOf(baseline)}</small>`,
    },
    { head: "Score", cell: ({ score: name }) => NAMES[name] },
    {
      head: "Value",
      className: "number strong",
      cell: ({ value, low, high, se, reason }) =>
        markup`${difference(value)}<small>${
          low !== undefined && high !== undefined
            ? `${difference(low)} to ${difference(high)}`
            : se !== undefined
            ? `± ${score(se)}`
            : reason
        }</small>`,
    },
    ...(several
      ? [{
        head: "Better on",
        className: "number",
        cell: ({ better, worse, by_fold }: ClassificationDifference) =>
          markup`${better ?? NONE} of ${by_fold?.length ?? NONE}<small>worse on ${worse ?? NONE}</small>`,
      }]
      : []),
    ...(tested
      ? [{
        head: "DeLong p",
        className: "number wide",
        cell: ({ delong_p }: ClassificationDifference) => delong_p === undefined ? NONE : probabilityText(delong_p),
      }]
      : []),
  ], {
    className: "plain",
    caption: markup`<b>Gain over what is simple,</b> on the same ${found.unit}s${
      several ? ", fold by fold" : "; intervals draw the same patients for both"
    }.`,
  });
}

function confusion(found: ClassificationResults, { label, folds }: Predictor): Markup {
  const { classes, unit } = found;
  const sums = classes.map((_, j) => classes.map((_, k) => folds.reduce((sum, one) => sum + one.confusion[j]![k]!, 0)));
  const rows = sums.map((counts, j) => ({ name: classes[j]!, counts, all: counts.reduce((a, b) => a + b, 0), j }));
  return scroller(
    `Confusion matrix of ${label}`,
    table(rows, [
      { head: "Truly", cell: ({ name }) => identifier(name) },
      ...classes.map((name, k) => ({
        head: identifier(name),
        className: "number",
        cell: ({ counts, all, j }: (typeof rows)[number]) =>
          markup`<span class="${j === k ? "strong" : ""}">${whole(counts[k]!)}</span><small>${
            percent(all === 0 ? null : counts[k]! / all, 0)
          }</small>`,
      })),
    ], {
      className: "plain",
      caption: markup`<b>${label}: true class by row, predicted by column.</b> Test ${unit}s${
        folds.length > 1 && " of all folds together"
      } and their share of the row.`,
    }),
  );
}

function foldTable(found: ClassificationResults): Markup {
  const { folds, predictors, classes } = found;
  const rows = folds.map((fold, f) => ({ fold, f }));
  return scroller(
    "Folds",
    table(rows, [
      { head: "Fold", cell: ({ fold: { name } }) => identifier(name) },
      { head: "Trained", label: "Trained", className: "number", cell: ({ fold: { train } }) => whole(train) },
      {
        head: "Judged",
        label: "Judged",
        className: "number",
        cell: ({ fold: { test, test_classes } }) => markup`${whole(test)}<small>${test_classes.join(" / ")}</small>`,
      },
      ...predictors.map(({ label, folds: scores, role }) => ({
        head: `AUC, ${label}`,
        label: `AUC, ${label}`,
        className: role === "trained" ? "number strong" : "number",
        cell: ({ f }: (typeof rows)[number]) => {
          const { scores: own, reason } = scores[f]!;
          return markup`${score(own.auc)}${reason !== undefined && markup`<small>${reason}</small>`}`;
        },
      })),
    ], {
      className: "plain stacked",
      caption: markup`<b>Folds.</b> Under those judged stand their classes: ${classes.join(" / ")}.`,
    }),
    rows.length > 8 ? "tall" : "",
  );
}
