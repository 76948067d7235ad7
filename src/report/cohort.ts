/**
 * Models of slides on the folds of a cohort: scores with intervals, each fold's score of every model, and paired differences.
 *
 * @module
 */

import { probabilityText } from "../core/fixed.ts";
import type { CohortDifference, CohortEstimate, CohortEvidence, CohortModel, CohortRow } from "./cohort_evidence.ts";
import { amount, difference, NONE, score, tickText, whole } from "./format.ts";
import { type Markup, markup, type Slot } from "./html.ts";
import { figure, identifier, scroller, section, table } from "./html_table.ts";
import { extent, linear, type Scale } from "./scale.ts";
import { axes, drawing, label, line, stroke, symbol } from "./svg.ts";

/** What scores are called. */
const NAMES: Readonly<Record<string, string>> = {
  auc: "AUC",
  average_precision: "Average precision",
  balanced_accuracy: "Balanced accuracy",
  cindex: "C-index",
  pearson: "Pearson",
  spearman: "Spearman",
  r2: "R²",
};
/** Scores that are shown, the first as a drawing too; and what guessing gives of that. */
const SHOWN: Readonly<Record<CohortEvidence["kind"], readonly string[]>> = {
  classification: ["auc", "average_precision", "balanced_accuracy"],
  survival: ["cindex"],
  regression: ["pearson", "spearman", "r2"],
};
const CHANCE: Readonly<Record<CohortEvidence["kind"], number>> = { classification: 0.5, survival: 0.5, regression: 0 };

/** The section. */
export function cohort(found: CohortEvidence, title = "Scores"): Markup {
  return section(
    { id: "scores", title },
    scoreTable(found),
    markup`<p class="remark">${remarks(found).map((text) => markup`${text} `)}</p>`,
    found.folds.filter(({ judged }) => judged).length > 1 && foldFigure(found),
    differenceTable(found),
  );
}

/** What was found, in a sentence. */
export function cohortAbstract(found: CohortEvidence): Markup {
  const [headline] = SHOWN[found.kind] as [string];
  const ranked = found.rows.filter(({ source, scores }) => source !== undefined && scores[headline]?.value !== null)
    .toSorted((a, b) => b.scores[headline]!.value! - a.scores[headline]!.value!);
  const [best, next] = ranked;
  const judged = found.folds.filter(({ judged }) => judged).length;
  const where = `Over ${amount(judged, "fold")} of ${amount(found.cases, "case")}`;
  if (best === undefined) return markup`<p class="abstract">${where}, no ${NAMES[headline]} is defined.</p>`;
  const text = (row: CohortRow) =>
    markup`${row.label} (${row.source}) has ${NAMES[headline]} <strong>${score(row.scores[headline]!.value)}</strong>${
      spread(row.scores[headline]!)
    }`;
  return markup`<p class="abstract">${where}, ${text(best)}${next && markup`; ${text(next)}`}.</p>`;
}

function spread({ se, low, high }: CohortEstimate): string {
  const error = se === undefined ? "" : ` ± ${score(se)}`;
  return low === undefined || high === undefined ? error : `${error}, ${score(low)} to ${score(high)} over test cases`;
}

function remarks({ intervals, events, cases, warnings = [], made_of }: CohortEvidence): string[] {
  return [
    `Intervals: ${intervals}.`,
    events === undefined ? "" : `${amount(events, "event")} in ${amount(cases, "case")}.`,
    ...warnings.map((text) => `${text}.`),
    made_of === undefined ? "" : `Made of: ${made_of}.`,
  ].filter(Boolean);
}

function known({ rows, kind }: CohortEvidence): string[] {
  return SHOWN[kind].filter((name) => rows.some(({ scores }) => scores[name] !== undefined));
}

const ROW = { width: 320, height: 34, left: 8, right: 312 } as const;

function limits({ value, low, high, se = 0 }: CohortEstimate): number[] {
  return value === null ? [] : [low ?? value - se, value, high ?? value + se];
}

function cell(one: CohortEstimate | undefined): Slot {
  if (one === undefined) return NONE;
  if (one.value === null) return markup`${NONE}<small>${one.reason}</small>`;
  const range = one.low !== undefined && one.high !== undefined ? `${score(one.low)} to ${score(one.high)}` : "";
  const spread = one.se === undefined ? range : `± ${score(one.se)}${range && ` [${range}]`}`;
  return markup`${score(one.value)}<small>${spread}</small>`;
}

function scoreTable(found: CohortEvidence): Markup {
  const { rows, kind, cases, slides, folds, units } = found;
  const names = known(found);
  const headline = names[0] ?? SHOWN[kind][0]!;
  const chance = CHANCE[kind];
  const all = rows.flatMap(({ scores }) => scores[headline] ? limits(scores[headline]) : []);
  const [low, high] = extent([...all, chance]) ?? [0, 1];
  const x = linear([low, Math.max(high, low + 0.05)], [ROW.left, ROW.right], { ticks: 5, nice: true });
  const axis = markup`<tr class="axis-row"><td colspan="${
    String(names.length + 1)
  }" class="key"></td><td class="plot">${
    drawing(
      { width: ROW.width, height: 22, label: `scale of ${NAMES[headline]}` },
      stroke("axis", [ROW.left, 1], [ROW.right, 1]),
      x.ticks.map((tick) => [
        stroke("axis", [x(tick), 1], [x(tick), 5]),
        label("tick mid", [x(tick), 17], tickText(tick)),
      ]),
    )
  }</td></tr>`;
  const trained = folds.map(({ train }) => train);
  return table(rows, [
    {
      head: "Model",
      cell: ({ label, source, note }) =>
        markup`<span>${label}</span><small>${source ?? "no features"}${note !== undefined && `; ${note}`}</small>`,
    },
    ...names.map((name) => ({
      head: NAMES[name]!,
      label: NAMES[name]!,
      className: "number",
      cell: ({ scores }: CohortRow) => cell(scores[name]),
    })),
    {
      head: markup`<span class="only-read">Drawing</span>`,
      className: "plot",
      cell: (row) => rowDrawing(row, headline, { x, chance }),
    },
  ], {
    className: "forest even",
    caption: markup`<b>${amount(units, "unit")} of ${amount(cases, "case")} with ${amount(slides, "slide")},</b> ${
      amount(folds.length, "fold")
    }, ${whole(Math.min(...trained))}${
      Math.min(...trained) < Math.max(...trained) ? ` to ${whole(Math.max(...trained))}` : ""
    } trained on in each. Guessing gives ${NAMES[headline]} ${tickText(chance)}, marked in the drawing.`,
    foot: axis,
  });
}

function rowDrawing(
  { label: name, source, scores }: CohortRow,
  headline: string,
  { x, chance }: { x: Scale; chance: number },
): Markup {
  const one = scores[headline];
  const kind = source === undefined ? "before" : "after";
  const middle = ROW.height / 2;
  const [low, high] = extent(one === undefined ? [] : limits(one)) ?? [0, 0];
  return drawing(
    { width: ROW.width, height: ROW.height, label: `${name}: ${score(one?.value)}`, className: "chart row" },
    x.ticks.map((tick) => stroke("guide", [x(tick), 0], [x(tick), ROW.height])),
    stroke("chance", [x(chance), 5], [x(chance), ROW.height - 5]),
    typeof one?.value === "number" && [
      low < high && stroke(`whisker ${kind}`, [x(low), middle], [x(high), middle]),
      symbol([x(one.value), middle], "M-4.7 0a4.7 4.7 0 1 0 9.4 0a4.7 4.7 0 1 0 -9.4 0z", {
        className: `dot ${kind}`,
      }),
    ],
  );
}

const FRAME = { left: 44, right: 350, top: 20, bottom: 178 } as const;
/** Lines that can be told apart: three colours, whole and dashed. */
const SERIES = 6;
/** Models whose scores by fold fit a table beside the drawing. */
const BESIDE = 5;

function foldFigure(found: CohortEvidence): Markup {
  const [headline] = known(found) as [string];
  const folds = found.folds.filter(({ judged }) => judged);
  const rows = found.rows.filter(({ source }) => source !== undefined).slice(0, SERIES);
  const valueOf = (row: CohortRow, f: number) => {
    const value = row.folds[f]?.[headline];
    return typeof value === "number" ? value : null;
  };
  const all = found.rows.flatMap((row) => [
    ...folds.map((_, f) => valueOf(row, f)),
    ...seedPoints(row, headline).map(([, value]) => value),
  ]);
  const [low, high] = extent([...all, CHANCE[found.kind]]) ?? [0, 1];
  const y = linear([low, Math.max(high, low + 0.05)], [FRAME.bottom, FRAME.top], { ticks: 4, nice: true });
  const places = linear([0, folds.length - 1], [FRAME.left + 8, FRAME.right - 8]);
  const step = Math.ceil(folds.length / 8);
  const x = Object.assign((value: number) => places(value), {
    ...places,
    ticks: folds.map((_, f) => f).filter((f) => f % step === 0),
  });
  const drawn = drawing(
    { width: 360, height: 214, label: `${NAMES[headline]} of each fold` },
    axes(FRAME, { x, y, formatX: (f) => folds[f]?.name.replace("fold_", "") ?? "", xLabel: "fold" }),
    stroke("chance", [FRAME.left, y(CHANCE[found.kind])], [FRAME.right, y(CHANCE[found.kind])]),
    rows.map((row, i) => {
      const points = folds.map((_, f) => [f, valueOf(row, f)] as const);
      return markup`<g class="series s${String(i % 3)}">${line(points, x, y, i < 3 ? "line" : "line dashed")}${
        points.map(([f, value]) => value !== null && symbol([x(f), y(value)], POINT, { className: "point" }))
      }${seedPoints(row, headline).map(([f, value]) => symbol([x(f), y(value)], DOT, { className: "point" }))}</g>`;
    }),
  );
  return figure(
    {
      title: `${NAMES[headline]} of each fold.`,
      caption:
        markup`Lines join what one model scores on the folds; they share test cases only where folds do. The line without points is guessing.${
          found.rows.some(({ seeds }) => seeds !== undefined) &&
          " Small points: single seeds, of which lines are the means."
        }${
          found.rows.filter(({ source }) => source !== undefined).length > SERIES &&
          ` The first ${SERIES} models are drawn.`
        }`,
    },
    markup`<div class="pair${found.rows.length > BESIDE && " below"}"><div>${drawn}<ul class="legend">${
      rows.map((row, i) =>
        markup`<li class="entry"><svg viewBox="0 0 16 8" aria-hidden="true"><g class="series s${
          String(i % 3)
        }"><path class="${i < 3 ? "line" : "line dashed"}" d="M0 4h16"/></g></svg>${row.label}, ${row.source}</li>`
      )
    }</ul></div>${foldTable(found, headline)}</div>`,
  );
}

/** Scores of single seeds: fold and value. */
function seedPoints({ seeds = [] }: CohortRow, headline: string): (readonly [fold: number, value: number])[] {
  return seeds.flatMap((own) =>
    own.flatMap((scores, f) => {
      const value = scores[headline];
      return typeof value === "number" ? [[f, value] as const] : [];
    })
  );
}

const DOT = "M-1.2 0a1.2 1.2 0 1 0 2.4 0a1.2 1.2 0 1 0 -2.4 0z";
const POINT = "M-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0z";

function foldTable({ folds, rows }: CohortEvidence, headline: string): Markup {
  const judged = folds.filter((fold) => fold.judged);
  return scroller(
    "Folds",
    table(folds, [
      {
        head: "Fold",
        cell: ({ name, problems = [] }) =>
          markup`${identifier(name)}${problems.length > 0 && markup`<small>${problems.join("; ")}</small>`}`,
      },
      { head: "Trained", label: "Trained", className: "number", cell: ({ train }) => whole(train) },
      { head: "Judged", label: "Judged", className: "number", cell: ({ test }) => whole(test) },
      ...rows.map((row) => ({
        head: markup`${row.label}<small>${row.source ?? ""}</small>`,
        label: row.source === undefined ? row.label : `${row.label}, ${row.source}`,
        className: "number",
        cell: (fold: CohortEvidence["folds"][number]) => {
          const value = row.folds[judged.indexOf(fold)]?.[headline];
          return typeof value === "number" ? score(value) : NONE;
        },
      })),
    ], { className: "plain stacked", caption: markup`<b>${NAMES[headline]} by fold.</b>` }),
    folds.length > 8 ? "tall" : "",
  );
}

function differenceTable(found: CohortEvidence): Slot {
  const [headline] = known(found) as [string];
  const rows = found.differences.filter(({ score, value }) => score === headline && value !== null);
  if (rows.length === 0) return "";
  const name = ({ source, model }: CohortModel) => {
    const row = found.rows.find((one) => one.model === model && one.source === source);
    return `${row?.label ?? model}${source === undefined ? "" : `, ${source}`}`;
  };
  const tested = rows.some(({ delong_p }) => delong_p !== undefined);
  return scroller(
    "Differences",
    table(rows, [
      { head: "Difference", cell: ({ a, b }) => markup`${name(a)}<small>less ${name(b)}</small>` },
      {
        head: NAMES[headline]!,
        className: "number strong",
        cell: ({ value, low, high, se }: CohortDifference) =>
          markup`${difference(value)}<small>${
            low !== undefined && high !== undefined
              ? `${difference(low)} to ${difference(high)}`
              : se !== undefined
              ? `± ${score(se)}`
              : ""
          }</small>`,
      },
      {
        head: "Better in",
        className: "number",
        cell: ({ better, worse, folds }) =>
          markup`${whole(better)} of ${whole(folds)}<small>worse in ${whole(worse)}</small>`,
      },
      ...(tested
        ? [{
          head: "DeLong p",
          className: "number",
          cell: ({ delong_p }: CohortDifference) => delong_p === undefined ? NONE : probabilityText(delong_p),
        }]
        : []),
    ], {
      className: "plain",
      caption: markup`<b>Paired differences,</b> on the same cases; intervals draw the same cases for both.`,
    }),
    rows.length > 12 ? "tall" : "",
  );
}
